/** What a selection and a mapping would do, as the core asks for it. */
import { selectionPreviewSchema, type SelectionPreview } from '../../../shared/contract/selection-preview.ts';
import type { SourceConnection, TargetConnection } from '../../../shared/model/connection.ts';
import type { NameMapping } from '../../../shared/model/name-mapping.ts';
import type { Selection } from '../../../shared/model/selection.ts';
import { runJob } from './job-host.ts';

/** A person waits for it, beside a form that can be filled in meanwhile. */
const CALL_TIMEOUT_MS = 4_500;
/** Counting thousands of collections takes a while; what is not counted by then is shown without. */
const COUNT_TIMEOUT_MS = 8_000;
const JOB_TIMEOUT_MS = 2 * CALL_TIMEOUT_MS + COUNT_TIMEOUT_MS + 5_000;

export interface PreviewRequest {
  readonly source: SourceConnection;
  readonly target: TargetConnection;
  readonly selection: Selection;
  readonly mapping: NameMapping;
  /** Of the task whose selection is changed; absent of one that is to be made. */
  readonly owner?: string | undefined;
  /** Only what keeps a task from being made: nothing is counted. */
  readonly withoutRows?: boolean;
}

export interface PreviewInput extends PreviewRequest {
  readonly callTimeoutMs: number;
  readonly countTimeoutMs: number;
}

/** @throws what the source's catalogue and the target say; timeout; an aborted signal's reason. */
export async function previewSelection(
  request: PreviewRequest,
  options: { readonly signal?: AbortSignal } = {},
): Promise<SelectionPreview> {
  const input: PreviewInput = { ...request, callTimeoutMs: CALL_TIMEOUT_MS, countTimeoutMs: COUNT_TIMEOUT_MS };
  return selectionPreviewSchema.parse(
    await runJob('preview-selection', input, { timeoutMs: JOB_TIMEOUT_MS, ...options }),
  );
}
