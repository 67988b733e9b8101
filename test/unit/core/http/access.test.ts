import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Access, SIGN_IN_CODE_TTL_MS } from '../../../../electron/core/http/access.ts';
import { assertOurs } from '../../../../electron/core/http/request-guard.ts';
import { openDatabase } from '../../../../electron/core/store/database.ts';
import { SessionStore } from '../../../../electron/core/store/session-store.ts';
import { silentLogger } from '../../../../electron/engine/runtime/logger.ts';

let folder: string;
let database: DatabaseSync;
let now: number;
beforeEach(() => {
  now = 1_000_000;
  folder = mkdtempSync(join(tmpdir(), 'lifeline-access-'));
  database = openDatabase(join(folder, 'store.sqlite'));
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true });
});

/** As the core makes it at its start. */
const openAccess = (token = 'token'): Access =>
  new Access({ token, sessions: new SessionStore(database), logger: silentLogger, now: () => now });
const signIn = (access: Access): string => access.signIn(access.newSignInCode())?.id ?? '';

const HOUR_MS = 3_600_000;

describe('access', () => {
  it('knows its token and no other', () => {
    const access = openAccess();
    expect(access.isToken('token')).toBe(true);
    for (const wrong of ['', 'toke', 'tokens', 'TOKEN']) expect(access.isToken(wrong)).toBe(false);
  });

  it('takes a code once and in time', () => {
    const access = openAccess();
    const code = access.newSignInCode();
    const late = access.newSignInCode();
    const session = access.signIn(code);
    expect(session).toBeDefined();
    expect(access.signIn(code)).toBeUndefined();
    expect(access.session(session?.id ?? '')).toEqual(session);
    now += SIGN_IN_CODE_TTL_MS + 1;
    expect(access.signIn(late)).toBeUndefined();
  });

  it('ends a session that nobody uses, and one that signs out', () => {
    const access = openAccess();
    const [used, idle, left] = [signIn(access), signIn(access), signIn(access)];
    access.signOut(left);
    expect(access.session(left)).toBeUndefined();
    for (let hour = 0; hour <= 20; hour += 1, now += HOUR_MS) expect(access.session(used)).toBeDefined();
    expect(access.session(idle)).toBeUndefined();
  });

  it('knows its sessions and their proofs after a restart, and forgets them with another token', () => {
    const before = openAccess();
    const session = before.signIn(before.newSignInCode());
    now += 2 * HOUR_MS;
    before.session(session?.id ?? '');
    now += 11 * HOUR_MS;
    expect(openAccess().session(session?.id ?? '')).toEqual(session);
    expect(openAccess('another').session(session?.id ?? '')).toBeUndefined();
  });

  it('ends a session after thirty days, however much it is used', () => {
    const access = openAccess();
    const id = signIn(access);
    for (let hour = 0; hour < 30 * 24; hour += 6, now += 6 * HOUR_MS) expect(access.session(id)).toBeDefined();
    now += 1;
    expect(access.session(id)).toBeUndefined();
  });

  it('stores nothing that opens a session', () => {
    const access = openAccess();
    const session = access.signIn(access.newSignInCode());
    const stored = JSON.stringify(database.prepare('SELECT * FROM session').all());
    expect(stored).toMatch(/"digest":"[0-9a-f]{64}"/);
    for (const secret of [session?.id ?? '?', session?.csrf ?? '?', 'token']) expect(stored).not.toContain(secret);
  });

  it('keeps fifty sessions, and tells the end of those that it lets go, once', () => {
    const access = openAccess();
    const ended: number[] = [];
    const ids: string[] = [];
    for (let at = 0; at < 52; at += 1, now += 1) {
      const id = signIn(access);
      access.onEnd(id, () => ended.push(at));
      ids.push(id);
    }
    expect(ended).toEqual([0, 1]);
    expect(ids.map((id) => access.session(id) !== undefined).filter(Boolean)).toHaveLength(50);
    access.onEnd(ids[3] ?? '', () => ended.push(-1))();
    access.signOut(ids[3] ?? '');
    access.signOut(ids[3] ?? '');
    expect(ended).toEqual([0, 1, 3]);
  });

  it('writes a use down now and then, not with every call, and lives with a disk that takes none', () => {
    const access = openAccess();
    const id = signIn(access);
    const usedAt = () => database.prepare('SELECT used_at FROM session').get()?.['used_at'];
    now += 60_000;
    access.session(id);
    expect(usedAt()).toBe(1_000_000);
    now += HOUR_MS;
    access.session(id);
    expect(usedAt()).toBe(now);
    database.exec('PRAGMA query_only = ON');
    now += HOUR_MS;
    expect(access.session(id)).toBeDefined();
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
