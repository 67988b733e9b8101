/** Where the window begins: finds its line to the core. In the desktop program a bridge, in a browser HTTP. */
import './polyfills.ts';
import { createApp } from 'vue';
import { z } from 'zod';
import { ContractError } from '../../shared/contract/client.ts';
import { createHttpClient, currentSession, signIn, type Session } from '../../shared/contract/http-client.ts';
import { createBridgeClient } from './bridge-client.ts';
import { createTexts } from './i18n/index.ts';
import { LineError } from './line-error.ts';
import { startWindow } from './start-window.ts';
import SignedOut from './SignedOut.vue';

const PLACE = '#app';
/** The page came from the core itself. */
const SAME_ORIGIN = '';
/** Of the one-time link that the core prints. */
const SIGN_IN_HASH = /^#\/sign-in\?code=([^&]+)/;

// Otherwise zod tries whether it may make code from strings, which the window's policy forbids and reports.
z.config({ jitless: true });

/** The code of `#/sign-in?code=…`, taken out of the address bar and the history: it works once. */
function takeCode(): string | undefined {
  const match = SIGN_IN_HASH.exec(location.hash);
  if (match?.[1] === undefined) return undefined;
  history.replaceState(null, '', `${location.pathname}#/`);
  return decodeURIComponent(match[1]);
}

function startOverHttp({ csrf }: Session): void {
  const client = createHttpClient({ baseUrl: SAME_ORIGIN, csrf });
  client.onLink((state) => {
    if (state === 'lost') void leaveWhenSignedOut();
  });
  startWindow(client, PLACE);
}

/** A session that has ended looks like a lost line; a core that is away looks the same and comes back by itself. */
async function leaveWhenSignedOut(): Promise<void> {
  const session = await currentSession(SAME_ORIGIN).catch(() => 'unreachable' as const);
  if (session === undefined) location.reload();
}

const lineErrorOf = (thrown: unknown): unknown => (thrown instanceof ContractError ? thrown : new LineError(thrown));

function askToSignIn(thrown: unknown): void {
  const app = createApp(SignedOut, {
    thrown,
    async onCode(code: string) {
      const session = await signIn(SAME_ORIGIN, code).catch((thrown: unknown) => {
        throw lineErrorOf(thrown);
      });
      app.unmount();
      startOverHttp(session);
    },
  });
  app.use(createTexts());
  app.mount(PLACE);
  // A link that is opened in this very tab changes the hash only, which loads nothing.
  window.addEventListener('hashchange', () => {
    if (SIGN_IN_HASH.test(location.hash)) location.reload();
  });
}

async function start(): Promise<void> {
  if (window.lifeline !== undefined) {
    startWindow(createBridgeClient(window.lifeline), PLACE);
    return;
  }
  const code = takeCode();
  try {
    const session = code === undefined ? await currentSession(SAME_ORIGIN) : await signIn(SAME_ORIGIN, code);
    if (session === undefined) askToSignIn(undefined);
    else startOverHttp(session);
  } catch (thrown) {
    // A used link in a browser that is signed in already does no harm.
    const session = await currentSession(SAME_ORIGIN).catch(() => undefined);
    if (session === undefined) askToSignIn(lineErrorOf(thrown));
    else startOverHttp(session);
  }
}

void start();
