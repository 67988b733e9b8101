import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exportKey, hasWrappedKey, openWrappedKey, type KeyStore } from '../../../electron/shell/data-key.ts';

const turn = (bytes: Buffer): Buffer => Buffer.from(bytes.map((byte) => byte ^ 0x5a));

const keyring: KeyStore = {
  isEncryptionAvailable: () => true,
  getSelectedStorageBackend: () => 'gnome_libsecret',
  encryptString: (text) => turn(Buffer.from(text)),
  decryptString: (bytes) => turn(bytes).toString(),
};
const noKeyring: KeyStore = { ...keyring, getSelectedStorageBackend: () => 'basic_text' };

let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'lifeline-key-'))));
afterEach(() => rmSync(directory, { recursive: true }));

describe.runIf(process.platform === 'linux')('the wrapped data key', () => {
  it('is made once for a new data folder and is the same at the next start', () => {
    const key = openWrappedKey(directory, keyring)!;
    expect(Buffer.from(key, 'base64')).toHaveLength(32);
    expect(openWrappedKey(directory, keyring)).toBe(key);
    expect(readFileSync(join(directory, 'key.wrapped'), 'utf8')).not.toContain(key);
    expect(statSync(join(directory, 'key.wrapped')).mode & 0o777).toBe(0o600);
  });

  it('is left to the key file where the desktop protects nothing', () => {
    for (const store of [undefined, noKeyring, { ...keyring, isEncryptionAvailable: () => false }]) {
      expect(openWrappedKey(directory, store)).toBeUndefined();
    }
    expect(hasWrappedKey(directory)).toBe(false);
  });

  it('is left to a key file that is there', () => {
    writeFileSync(join(directory, 'key'), 'x');
    expect(openWrappedKey(directory, keyring)).toBeUndefined();
    expect(hasWrappedKey(directory)).toBe(false);
  });

  it('is not made anew for data whose key is missing', () => {
    writeFileSync(join(directory, 'lifeline.sqlite'), '');
    expect(openWrappedKey(directory, keyring)).toBeUndefined();
  });

  it('says so when it cannot be opened, and never hands out another', () => {
    openWrappedKey(directory, keyring);
    expect(() => openWrappedKey(directory, noKeyring)).toThrow(/which is not available now/);
    const broken: KeyStore = {
      ...keyring,
      decryptString() {
        throw new Error('Wrong keyring');
      },
    };
    expect(() => openWrappedKey(directory, broken)).toThrow(/cannot be opened.*Wrong keyring/);
  });

  it('becomes the key file by the export, for its owner only', () => {
    const key = openWrappedKey(directory, keyring)!;
    const file = exportKey(directory, keyring);
    expect(readFileSync(file, 'utf8').trim()).toBe(key);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(existsSync(join(directory, 'key.wrapped'))).toBe(false);
    expect(openWrappedKey(directory, keyring)).toBeUndefined();
  });
});
