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
}

export interface LoadProgress {
  readonly rowsInserted: number;
  readonly rowsTotal: number;
  readonly elapsedMs: number;
}

export type LoadAnswer =
  | { readonly kind: 'progress'; readonly progress: LoadProgress }
  | { readonly kind: 'done'; readonly durationMs: number }
  | { readonly kind: 'failed'; readonly error: ErrorData };
