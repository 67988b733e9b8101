/** What a protection's headroom and source are, in the window's language. */
import { useI18n } from 'vue-i18n';
import type { TaskView } from '../../../shared/contract/procedures.ts';
import { useClock } from '../../app/clock.store.ts';
import { useFormat } from '../../ui/use-format.ts';
import { byUrgency, headroomLeftMs, type Headroom } from './health.ts';
import type { Status } from './protection-view.ts';

export interface HeadroomText {
  readonly level: Headroom['level'];
  readonly text: string;
}

export function useHealthTexts() {
  const { t } = useI18n();
  const { left, span } = useFormat();
  const clock = useClock();

  /** Of the most pressing channel; `undefined`: nothing is known. */
  function headroomText(headroom: readonly Headroom[], isRunning: boolean): HeadroomText | undefined {
    const [worst] = byUrgency(headroom, isRunning, clock.now);
    if (worst === undefined) return undefined;
    const { channel, collection, level } = worst;
    const place = collection === undefined ? channel : `${channel}, ${collection}`;
    const ms = headroomLeftMs(worst, isRunning, clock.now);
    if (level === 'critical' && ms === 0) return { level, text: t('headroom.gone', { place }) };
    if (ms === undefined) {
      return { level, text: level === 'ok' ? t('headroom.safe') : t('headroom.pressingLevel', { place }) };
    }
    const duration = left(ms);
    if (!isRunning) return { level, text: t('headroom.resting', { duration, place }) };
    return { level, text: t(level === 'ok' ? 'headroom.enough' : 'headroom.pressing', { duration, place }) };
  }

  /** `undefined`: nothing is known. */
  function sourceText({ source, at }: Status): string | undefined {
    if (source === undefined) return undefined;
    const { activity, sinceMs, silentChannels = [] } = source;
    if (sinceMs === undefined || (activity !== 'idle' && activity !== 'silent')) return t(`lag.source.${activity}`);
    // As the core's clock had it: the window's own may differ.
    return t(`lag.source.${activity}For`, { duration: span(at - sinceMs), channels: silentChannels.join(', ') });
  }

  /** What should be known of a protection even where all it does is follow. */
  function warningsOf({ desired, status }: TaskView): readonly string[] {
    if (status === undefined) return [];
    const headroom = headroomText(status.headroom ?? [], desired === 'running');
    const isSilent = desired === 'running' && status.source?.activity === 'silent';
    return [
      ...(isSilent ? [sourceText(status) ?? ''] : []),
      ...(headroom === undefined || headroom.level === 'ok' ? [] : [headroom.text]),
    ];
  }

  return { headroomText, sourceText, warningsOf };
}
