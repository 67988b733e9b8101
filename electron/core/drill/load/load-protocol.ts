/** What the load process and the one that started it say to each other: plain, JSON-safe messages. */
import type { MilvusEndpoint } from '../../../../shared/model/connection.ts';
import type { ErrorData } from '../../../../shared/model/replication-error.ts';

/** Sent once, at the start. Credentials travel on this channel only, never on a command line. */
export interface LoadRequest {
  readonly source: MilvusEndpoint;
  readonly rows: number;
  readonly seconds: number;
  readonly seed: number;
  readonly ledgerFile: string;
  /**
   * Every writer stops once it has written this share of its rows, its collections loaded, and waits for `goOn`. Absent:
   * none waits.
   */
  readonly pauseAtShare?: number;
}

/**
 * After `paused`, each sent once, in this order. Between the two nothing is released: what is not loaded cannot be copied,
 * and whoever releases it meanwhile is meant to hear of that.
 */
export interface LoadOrder {
  readonly kind: 'goOn' | 'copied';
}

export interface LoadProgress {
  readonly rowsInserted: number;
  readonly rowsTotal: number;
  readonly elapsedMs: number;
}

export type LoadAnswer =
  | { readonly kind: 'progress'; readonly progress: LoadProgress }
  | { readonly kind: 'paused' }
  | { readonly kind: 'done'; readonly durationMs: number }
  | { readonly kind: 'failed'; readonly error: ErrorData };
