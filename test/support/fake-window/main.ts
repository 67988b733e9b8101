/** The window on a fake core, for looking at it: `?state=` one of the names below, `unreachable` or `lost`. */
import '../../../renderer/app/polyfills.ts';
import { startWindow } from '../../../renderer/app/start-window.ts';
import { createFakeClient, errorData, type FakeState } from '../fake-client.ts';
import {
  calmState,
  copyingState,
  crowdedState,
  DONE_DRILL,
  emptyState,
  keepMoving,
  labState,
  RUNNING_DRILL,
  troubledState,
} from '../fake-states.ts';
import { gapState, inUseState, laggingState, quarantineState, questionState, silentState } from '../fake-troubles.ts';

const STATES: Readonly<Record<string, () => FakeState>> = {
  calm: calmState,
  troubled: troubledState,
  empty: emptyState,
  copying: copyingState,
  lagging: laggingState,
  silent: silentState,
  gap: gapState,
  quarantine: quarantineState,
  inUse: inUseState,
  question: questionState,
  crowded: () => crowdedState(1500),
  drilling: () => ({
    ...calmState(),
    lab: { state: 'starting', progress: { message: 'Downloading Milvus: 148 of 310 MB', fraction: 0.48 } },
    drill: RUNNING_DRILL,
  }),
  labRunning: labState,
  drilled: () => ({ ...calmState(), lab: { state: 'running' }, drill: DONE_DRILL }),
  labFailed: () => ({
    ...emptyState(),
    lab: {
      state: 'failed',
      error: errorData(
        'downloadFailed',
        'lab',
        'Milvus could not be downloaded: the connection was closed after 12 MB.',
        'Check the network, or give the file by hand.',
      ),
    },
  }),
};

const wanted = new URLSearchParams(location.search).get('state') ?? 'calm';
const client = createFakeClient((STATES[wanted] ?? calmState)());
if (wanted === 'unreachable') {
  const thrown = new Error('Failed to fetch');
  for (const name of ['tasks.list', 'connections.list', 'lab.get', 'drill.get', 'system.info'] as const) {
    client.failNext(name, thrown);
  }
}
startWindow(client, '#app');
if (wanted === 'lost') client.setLink('lost', 'The core ended unexpectedly and is started again.');
keepMoving(client, 250);
