import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fetchElectron, hasDisplay } from '../../../build/electron.mjs';

let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'lifeline-installer-'))));
afterEach(() => rmSync(directory, { recursive: true }));

function installer(code: string): string {
  const file = join(directory, 'install.cjs');
  writeFileSync(file, code);
  return file;
}

const out = { lines: [] as string[], isTTY: false, write: (line: string) => out.lines.push(line) > 0 };
const dist = (): string => join(directory, 'dist');

describe('fetching Electron', () => {
  it('ends when the installer has ended, and tells how far it is', async () => {
    out.lines = [];
    const code = `require('fs').writeFileSync(process.env.TMPDIR + '/part', Buffer.alloc(3e6)); setTimeout(() => {}, 400)`;
    await fetchElectron(installer(code), dist(), { stallMs: 300, out });
    expect(out.lines.join('')).toContain('3 MB');
  });

  it('stops waiting when not a byte comes', async () => {
    const fetching = fetchElectron(installer('setInterval(() => {}, 1000)'), dist(), { stallMs: 200, out });
    await expect(fetching).rejects.toThrow('not a byte came');
  });

  it('goes on for as long as bytes come', async () => {
    const code = `let n = 0; setInterval(() => {
      require('fs').appendFileSync(process.env.TMPDIR + '/part', 'x');
      if (++n === 12) process.exit(0);
    }, 50)`;
    await fetchElectron(installer(code), dist(), { stallMs: 300, out });
  });

  it('says in one sentence why it failed', async () => {
    const unreachable = installer(`console.error(new TypeError('fetch failed').stack); process.exit(1)`);
    await expect(fetchElectron(unreachable, dist(), { out })).rejects.toThrow('its download host could not be reached');
    const refused = installer(`console.error(new Error('Response code 404').stack); process.exit(1)`);
    await expect(fetchElectron(refused, dist(), { out })).rejects.toThrow('fetched: Response code 404.');
  });
});

describe('the display', () => {
  it('is asked for on Linux and taken for granted elsewhere', () => {
    expect(hasDisplay({}, 'linux')).toBe(false);
    expect(hasDisplay({ DISPLAY: ':0' }, 'linux')).toBe(true);
    expect(hasDisplay({ WAYLAND_DISPLAY: 'wayland-0' }, 'linux')).toBe(true);
    expect(hasDisplay({}, 'darwin')).toBe(true);
  });
});
