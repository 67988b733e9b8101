/** A task's status as lines for a terminal: one when something changed, none while nothing does. */
import type { TaskStatus, Trouble } from '../../../shared/model/task-status.ts';

const numbers = new Intl.NumberFormat('en-US');

/** Milliseconds as a person reads them: "0.4 s", "12 s", "3 min". */
export function formatDuration(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.round(ms / 3_600_000)} h`;
}

/** How far the target is behind: now minus the oldest confirmed moment. `undefined`: nothing to measure yet. */
export function lagOf(status: TaskStatus): number | undefined {
  const confirmed = status.collections.map((collection) => collection.confirmedMs);
  if (confirmed.length === 0 || confirmed.some((ms) => ms === 0)) return undefined;
  return Math.max(0, status.at - Math.min(...confirmed));
}

export function formatStatus(status: TaskStatus): string {
  const lag = lagOf(status);
  const parts = [
    `${status.taskId}: ${status.state}`,
    `${numbers.format(status.collections.length)} collections`,
    `${numbers.format(status.rowsWritten)} rows written`,
    `${numbers.format(status.rowsDeleted)} deleted`,
    `RPO ${lag === undefined ? '–' : formatDuration(lag)}`,
  ];
  return parts.join(', ');
}

/** One sentence per trouble: the task's own, then each collection's. */
export function troubleLines(status: TaskStatus): string[] {
  const lines: string[] = [];
  if (status.trouble !== undefined) lines.push(`${status.taskId}: ${formatTrouble(status.trouble)}`);
  for (const { database, name, state, trouble } of status.collections) {
    if (trouble !== undefined) lines.push(`${database}.${name} is ${state}: ${formatTrouble(trouble)}`);
  }
  return lines;
}

function formatTrouble({ error, nextTryAt }: Trouble): string {
  return nextTryAt === undefined ? error.message : `${error.message} Retrying by itself.`;
}
