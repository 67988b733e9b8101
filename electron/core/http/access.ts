/**
 * Who may come in: a program with the data folder's token, or a browser that signed in by a one-time link. The link's
 * code is exchanged once for a session; the session is an HttpOnly cookie, and every call of it that is not a GET
 * carries a second secret that a foreign page can neither read nor send. Sessions outlive the core: the store keeps a digest
 * of each, and when it was used last.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import type { Logger } from '../../engine/runtime/logger.ts';
import { createPrivateFile, readPrivateFile } from '../store/private-file.ts';
import type { SessionStore } from '../store/session-store.ts';

/** 256 bits: beyond guessing, so nothing has to count attempts. */
const SECRET_BYTES = 32;
/** Time to get from the terminal to a browser on another machine. */
export const SIGN_IN_CODE_TTL_MS = 15 * 60_000;
/** Of a session that nobody uses; a working day. An open stream of events is a use. */
const SESSION_IDLE_MS_MAX = 12 * 60 * 60_000;
/** However much it is used: what somebody has taken from a browser is not good for ever. */
const SESSION_AGE_MS_MAX = 30 * 24 * 60 * 60_000;
/** A use is written down this often and not with every call: each time waits for the disk. */
const USE_STEP_MS = 5 * 60_000;
/** More than one person's browsers; the longest unused goes first. */
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

export interface AccessOptions {
  readonly token: string;
  readonly sessions: SessionStore;
  readonly logger: Logger;
  readonly now?: () => number;
}

export class Access {
  readonly #token: string;
  readonly #sessions: SessionStore;
  readonly #logger: Logger;
  readonly #now: () => number;
  /** By digest, so that looking one up tells nothing by its time. Oldest first. */
  readonly #codes = new Map<string, number>();
  readonly #endListeners = new Map<string, Set<() => void>>();

  constructor({ token, sessions, logger, now = Date.now }: AccessOptions) {
    this.#token = token;
    this.#sessions = sessions;
    this.#logger = logger;
    this.#now = now;
  }

  isToken(given: string): boolean {
    return isSameSecret(given, this.#token);
  }

  /** Valid once, for 15 minutes. */
  newSignInCode(): string {
    const code = newSecret();
    this.#codes.set(this.#digest(code), this.#now() + SIGN_IN_CODE_TTL_MS);
    for (const key of this.#codes.keys()) {
      if (this.#codes.size <= CODES_MAX) break;
      this.#codes.delete(key);
    }
    return code;
  }

  /** `undefined`: unknown, used, or expired. @throws storeFailed. */
  signIn(code: string): BrowserSession | undefined {
    const key = this.#digest(code);
    const expiresAt = this.#codes.get(key);
    this.#codes.delete(key);
    const now = this.#now();
    if (expiresAt === undefined || expiresAt < now) return undefined;
    const id = newSecret();
    this.#sessions.add({ digest: this.#digest(id), createdAt: now, usedAt: now });
    const ended = this.#sessions.prune(now - SESSION_AGE_MS_MAX, now - SESSION_IDLE_MS_MAX, SESSIONS_MAX);
    for (const digest of ended) this.#tellEnd(digest);
    return sessionOf(id);
  }

  /** A use of it. `undefined`: there is none, or no more. @throws storeFailed. */
  session(id: string): BrowserSession | undefined {
    const digest = this.#digest(id);
    const found = this.#sessions.get(digest);
    if (found === undefined) return undefined;
    const now = this.#now();
    if (now - found.usedAt > SESSION_IDLE_MS_MAX || now - found.createdAt > SESSION_AGE_MS_MAX) {
      this.#end(digest);
      return undefined;
    }
    if (now - found.usedAt >= USE_STEP_MS) this.#noteUse(digest, now);
    return sessionOf(id);
  }

  signOut(id: string): void {
    this.#end(this.#digest(id));
  }

  /** Called once, when the session ends while this core runs. Returns how not to be called any more. */
  onEnd(id: string, listener: () => void): () => void {
    const digest = this.#digest(id);
    const listeners = this.#endListeners.get(digest) ?? new Set();
    this.#endListeners.set(digest, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#endListeners.get(digest) === listeners) this.#endListeners.delete(digest);
    };
  }

  #end(digest: string): void {
    this.#sessions.remove(digest);
    this.#tellEnd(digest);
  }

  #tellEnd(digest: string): void {
    const listeners = this.#endListeners.get(digest) ?? new Set();
    this.#endListeners.delete(digest);
    for (const listener of listeners) listener();
  }

  #noteUse(digest: string, now: number): void {
    try {
      this.#sessions.setUsed(digest, now);
    } catch (error) {
      // On a full disk the window is needed most; the session only ends earlier than it might.
      this.#logger.warn({ err: error }, 'The use of a session could not be noted.');
    }
  }

  /** With the token in it: whoever takes the token file away ends every session and code at the next start. */
  #digest(secret: string): string {
    return createHmac('sha256', this.#token).update(secret).digest('hex');
  }
}

/** The proof is made from the secret each time, so that neither has to be stored; it does not lead back to it. */
const sessionOf = (id: string): BrowserSession => ({
  id,
  csrf: createHmac('sha256', id).update('csrf').digest('base64url'),
});
