/** What a task may replicate into what, asked of both clusters. */
import type { SelectionPreview } from '../../../shared/contract/procedures.ts';
import { duplicateRules, SAME_NAMES, type NameMapping } from '../../../shared/model/name-mapping.ts';
import { EVERYTHING, type Selection } from '../../../shared/model/selection.ts';
import { previewSelection } from '../../engine/host/preview-selection.ts';
import type { Logger } from '../../engine/runtime/logger.ts';
import type { ConnectionService } from './connection-service.ts';
import { Refusal } from './refusal.ts';

/** Clusters that do not answer by then are asked by the task itself, which waits for them. */
const LOOK_MS_MAX = 5_000;

export interface ScopeRequest {
  readonly sourceId: string;
  readonly targetId: string;
  readonly selection?: Selection | undefined;
  readonly mapping?: NameMapping | undefined;
  /** Of the task whose copies are its own. */
  readonly owner?: string | undefined;
}

export interface TaskScopesOptions {
  readonly connections: Pick<ConnectionService, 'asSource' | 'asTarget'>;
  readonly logger: Logger;
}

export class TaskScopes {
  readonly #options: TaskScopesOptions;
  readonly #end = new AbortController();

  constructor(options: TaskScopesOptions) {
    this.#options = options;
  }

  /** @throws Refusal: see `asSource` and `asTarget`; what the source's catalogue and the target say. */
  preview(request: ScopeRequest): Promise<SelectionPreview> {
    return this.#ask(request, false, this.#end.signal);
  }

  /** @throws Refusal invalidInput with the first conflict as its sentence. */
  async assertNoConflict(request: ScopeRequest): Promise<void> {
    const [rule] = duplicateRules(request.mapping ?? SAME_NAMES);
    if (rule !== undefined) {
      throw new Refusal('invalidInput', `There are two rules for ${rule}.`, 'Remove one of them.', {
        field: 'mapping',
      });
    }
    let preview: SelectionPreview;
    try {
      preview = await this.#ask(request, true, AbortSignal.any([this.#end.signal, AbortSignal.timeout(LOOK_MS_MAX)]));
    } catch (error) {
      this.#end.signal.throwIfAborted();
      if (error instanceof Refusal) throw error;
      const cause = error instanceof Error ? error.message : String(error);
      this.#options.logger.info(
        { cause },
        'Conflicts were not looked for: a cluster did not answer. The task looks itself.',
      );
      return;
    }
    const [conflict] = preview.conflicts;
    if (conflict === undefined) return;
    const more = preview.conflicts.length - 1;
    const rest = more === 0 ? '' : ` There ${more === 1 ? 'is one more conflict' : `are ${more} more conflicts`}.`;
    throw new Refusal('invalidInput', `${conflict.message}${rest}`, 'Look at the preview of the selection.', {
      field: conflict.kind === 'sameCluster' ? 'targetId' : conflict.kind === 'rules' ? 'mapping' : 'selection',
      conflict: conflict.kind,
    });
  }

  /** At the core's end: questions under way end. */
  close(): void {
    this.#end.abort(new Error('Lifeline ends.'));
  }

  #ask(request: ScopeRequest, withoutRows: boolean, signal: AbortSignal): Promise<SelectionPreview> {
    const { connections } = this.#options;
    const { sourceId, targetId, selection = EVERYTHING, mapping = SAME_NAMES, owner } = request;
    const source = connections.asSource(sourceId);
    const target = connections.asTarget(targetId);
    return previewSelection(
      { source, target, selection, mapping, withoutRows, ...(owner === undefined ? {} : { owner }) },
      { signal },
    );
  }
}
