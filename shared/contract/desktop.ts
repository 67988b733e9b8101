/**
 * The two lines of the desktop program that are not HTTP: what the preload script offers to the window, and what shell
 * and core say to each other over the core's process channel. All of it is plain JSON.
 *
 * The shell starts the core with the argument `desktop`, sends `start`, and calls once it has heard `started`. The core
 * ends in order when it is sent `stop` or when the channel closes.
 */
import { z } from 'zod';
import type { Immutable } from '../immutable.ts';
import type { ContractAnswer, LinkState } from './client.ts';
import type { ContractErrorData } from './procedures.ts';

/** Starts the core as the shell's child; the core's first argument. */
export const DESKTOP_COMMAND = 'desktop';

const shellToCoreSchema = z.discriminatedUnion('kind', [
  /** `dataKey`: 32 bytes in base64, where the desktop's key store keeps it; absent: the core uses its key file. */
  z.object({ kind: z.literal('start'), dataKey: z.string().optional() }),
  z.object({ kind: z.literal('call'), id: z.number(), name: z.string(), input: z.unknown() }),
  z.object({ kind: z.literal('stop') }),
]);

export type ShellToCore = Immutable<z.output<typeof shellToCoreSchema>>;

/** What comes from the shell, checked. `undefined`: it is no message of ours. */
export function parseShellToCore(received: unknown): ShellToCore | undefined {
  return shellToCoreSchema.safeParse(received).data;
}

export type CoreToShell =
  /** Services run; sent once, before the first answer. */
  | { readonly kind: 'started' }
  /** It cannot begin, says why, and ends; beginning again without a person is of no use. */
  | { readonly kind: 'failed'; readonly error: ContractErrorData }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: ContractAnswer }
  | { readonly kind: 'event'; readonly name: string; readonly payload: unknown };

/** What arrives in the window unasked: the core's events, and `link` with a `LinkState` when the core comes or goes. */
export interface BridgeEvent {
  readonly name: string;
  readonly payload: unknown;
  /** Of a lost link: why, as a sentence for a person. */
  readonly message?: string;
}

export const LINK_EVENT = 'link';
export const linkEvent = (state: LinkState, message?: string): BridgeEvent =>
  message === undefined ? { name: LINK_EVENT, payload: state } : { name: LINK_EVENT, payload: state, message };

/** `window.lifeline`. A call is always answered, also while the core is away: then with an error. */
export interface LifelineBridge {
  call(name: string, input: unknown): Promise<ContractAnswer>;
  /** In order; the state of the link comes first, once it is known. Returns how to end it. */
  onEvent(listener: (event: BridgeEvent) => void): () => void;
  /** `process.platform`. */
  readonly platform: string;
}

/** The data folder's files that both sides know: the key that encrypts all secrets, in the open or wrapped, and the store. */
export const DATA_KEY_BYTES = 32;
export const DATA_KEY_FILE = 'key';
export const DATA_KEY_WRAPPED_FILE = 'key.wrapped';
export const STORE_FILE = 'lifeline.sqlite';
