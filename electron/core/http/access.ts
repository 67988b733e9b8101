/**
 * Who may come in: a program with the data folder's token, or a browser that signed in by a one-time link. The link's
 * code is exchanged once for a session; the session is an HttpOnly cookie, and every call of it that is not a GET
 * carries a second secret that a foreign page can neither read nor send.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import { createPrivateFile, readPrivateFile } from '../store/private-file.ts';

/** 256 bits: beyond guessing, so nothing has to count attempts. */
const SECRET_BYTES = 32;
/** Time to get from the terminal to a browser on another machine. */
export const SIGN_IN_CODE_TTL_MS = 15 * 60_000;
/** Of a session that nobody uses; a working day. */
const SESSION_IDLE_MS_MAX = 12 * 60 * 60_000;
/** More than one person's browsers; the oldest goes first. */
const SESSIONS_MAX = 50;
const CODES_MAX = 20;

const TOKEN_FILE = 'token';

export interface BrowserSession {
  readonly id: string;
  readonly csrf: string;
}

const newSecret = (): string => randomBytes(SECRET_BYTES).toString('base64url');
const digest = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** Compares in the same time wherever they differ. */
export function isSameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected));
}

/** The token for programs; made at the first start. @throws storeFailed when its file is not private. */
export function openAccessToken(directory: string): string {
  const file = join(directory, TOKEN_FILE);
  const found = readPrivateFile(file, 'token file');
  if (found !== undefined && found !== '') return found;
  const token = newSecret();
  createPrivateFile(file, token, 'token file');
  return token;
}

export class Access {
  readonly #token: string;
  readonly #now: () => number;
  /** By digest, so that looking one up tells nothing by its time. Oldest first. */
  readonly #codes = new Map<string, number>();
  readonly #sessions = new Map<string, { session: BrowserSession; usedAt: number }>();

  constructor(token: string, now: () => number = Date.now) {
    this.#token = token;
    this.#now = now;
  }

  isToken(given: string): boolean {
    return isSameSecret(given, this.#token);
  }

  /** Valid once, for 15 minutes. */
  newSignInCode(): string {
    const code = newSecret();
    this.#codes.set(keyOf(code), this.#now() + SIGN_IN_CODE_TTL_MS);
    trim(this.#codes, CODES_MAX);
    return code;
  }

  /** `undefined`: unknown, used, or expired. */
  signIn(code: string): BrowserSession | undefined {
    const key = keyOf(code);
    const expiresAt = this.#codes.get(key);
    this.#codes.delete(key);
    if (expiresAt === undefined || expiresAt < this.#now()) return undefined;
    const session: BrowserSession = { id: newSecret(), csrf: newSecret() };
    this.#sessions.set(keyOf(session.id), { session, usedAt: this.#now() });
    trim(this.#sessions, SESSIONS_MAX);
    return session;
  }

  session(id: string): BrowserSession | undefined {
    const key = keyOf(id);
    const found = this.#sessions.get(key);
    if (found === undefined) return undefined;
    if (this.#now() - found.usedAt > SESSION_IDLE_MS_MAX) {
      this.#sessions.delete(key);
      return undefined;
    }
    found.usedAt = this.#now();
    return found.session;
  }

  signOut(id: string): void {
    this.#sessions.delete(keyOf(id));
  }
}

const keyOf = (secret: string): string => digest(secret).toString('hex');

function trim(map: Map<string, unknown>, sizeMax: number): void {
  for (const key of map.keys()) {
    if (map.size <= sizeMax) return;
    map.delete(key);
  }
}
