import { describe, expect, it } from 'vitest';
import { Access, SIGN_IN_CODE_TTL_MS } from '../../../../electron/core/http/access.ts';
import { assertOurs } from '../../../../electron/core/http/request-guard.ts';

describe('access', () => {
  it('knows its token and no other', () => {
    const access = new Access('token');
    expect(access.isToken('token')).toBe(true);
    for (const wrong of ['', 'toke', 'tokens', 'TOKEN']) expect(access.isToken(wrong)).toBe(false);
  });

  it('takes a code once and in time', () => {
    let now = 0;
    const access = new Access('token', () => now);
    const code = access.newSignInCode();
    const late = access.newSignInCode();
    const session = access.signIn(code);
    expect(session).toBeDefined();
    expect(access.signIn(code)).toBeUndefined();
    expect(access.session(session?.id ?? '')).toEqual(session);
    now = SIGN_IN_CODE_TTL_MS + 1;
    expect(access.signIn(late)).toBeUndefined();
  });

  it('ends a session that nobody uses, and one that signs out', () => {
    const hour = 3_600_000;
    let now = 0;
    const access = new Access('token', () => now);
    const open = () => access.signIn(access.newSignInCode())?.id ?? '';
    const [used, idle, left] = [open(), open(), open()];
    access.signOut(left);
    expect(access.session(left)).toBeUndefined();
    for (now = 0; now <= 20 * hour; now += hour) expect(access.session(used)).toBeDefined();
    expect(access.session(idle)).toBeUndefined();
  });
});

describe('the guard', () => {
  const loopback = { host: '127.0.0.1', port: 8080 };
  const everywhere = { host: '0.0.0.0', port: 8080 };
  const passes = (host: string | undefined, options: typeof loopback, origin?: string): boolean => {
    try {
      assertOurs({ host, ...(origin === undefined ? {} : { origin }) }, options);
      return true;
    } catch {
      return false;
    }
  };

  it('serves its own names only', () => {
    for (const host of ['127.0.0.1:8080', 'localhost:8080', 'LOCALHOST:8080', '[::1]:8080']) {
      expect(passes(host, loopback)).toBe(true);
    }
    const foreign = [undefined, '', '127.0.0.1', '127.0.0.1:80', 'evil.example:8080', '127.0.0.1.evil.example:8080'];
    for (const host of [...foreign, '10.0.0.1:8080', 'a@localhost:8080']) expect(passes(host, loopback)).toBe(false);
  });

  it('serves the addresses of this machine where others may come in, and still no foreign name', () => {
    for (const host of ['10.0.0.1:8080', '[fe80::1]:8080', 'localhost:8080'])
      expect(passes(host, everywhere)).toBe(true);
    expect(passes('evil.example:8080', everywhere)).toBe(false);
  });

  it('takes its own page only', () => {
    expect(passes('localhost:8080', loopback, 'http://localhost:8080')).toBe(true);
    for (const origin of ['null', 'https://localhost:8080', 'http://localhost:80', 'http://evil.example']) {
      expect(passes('localhost:8080', loopback, origin)).toBe(false);
    }
  });
});
