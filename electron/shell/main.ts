/**
 * The shell: Electron's main process. One window, one core beside it, and the line between them; nothing of the core or
 * the engine is loaded here. It must run on the oldest Electron that is supported, 9.4 with Node 12.
 */
import * as electron from 'electron';
import { app, dialog, type BrowserWindow } from 'electron';
import { mkdirSync } from 'fs';
import { join } from 'path';
import { BENCH_LINE_VARIABLE } from '../../shared/bench/bench-line.ts';
import { CoreSupervisor } from './core-supervisor.ts';
import { exportKey, hasWrappedKey, openWrappedKey, type KeyStore } from './data-key.ts';
import { relay } from './ipc-relay.ts';
import { measureForBench } from './loop-delay.ts';
import { setMenu } from './menu.ts';
import { findPlaces } from './places.ts';
import { openPreferences } from './preferences.ts';
import { startCore } from './start-core.ts';
import { textsFor } from './texts.ts';
import { isWindowUrl, WINDOW_URL } from './window-files.ts';
import { declareWindowScheme, serveWindow } from './window-protocol.ts';
import { openWindow, refusePermissions } from './window.ts';

const places = findPlaces();
// Beside the data that the window shows: one window per data folder, and a test's window leaves nothing behind.
const ownDirectory = join(places.dataDirectory, 'window');
mkdirSync(ownDirectory, { recursive: true, mode: 0o700 });
app.setPath('userData', ownDirectory);
app.setName('Lifeline');

if (app.requestSingleInstanceLock()) run();
else {
  process.stderr.write('Lifeline is open already; its window was brought to the front.\n');
  app.quit();
}

function run(): void {
  declareWindowScheme();
  // The window of `electron-vite dev`, which reloads itself.
  const devUrl = app.isPackaged ? undefined : process.env['ELECTRON_RENDERER_URL'];
  const isOurs = (url: string): boolean =>
    isWindowUrl(url) || (devUrl !== undefined && url.startsWith(`${new URL(devUrl).origin}/`));
  let window: BrowserWindow | undefined;
  let send: ReturnType<typeof relay> | undefined;

  const keyStore = (): KeyStore | undefined => (electron as Partial<typeof electron>).safeStorage;
  const supervisor = new CoreSupervisor({
    start: (failedStarts) => startCore(places, failedStarts),
    startMessage() {
      const dataKey = openWrappedKey(places.dataDirectory, keyStore());
      return dataKey === undefined ? { kind: 'start' } : { kind: 'start', dataKey };
    },
    onEvent: (event) => send?.(event),
    onUnable: (sentence) => void sayUnable(sentence),
  });

  async function sayUnable(sentence: string): Promise<void> {
    process.stderr.write(`${sentence}\n`);
    const texts = textsFor(app.getLocale());
    const question = {
      type: 'error' as const,
      title: 'Lifeline',
      message: texts.unableTitle,
      detail: sentence,
      buttons: [texts.tryAgain, texts.quit],
      defaultId: 0,
      cancelId: 1,
    };
    const { response } = await (window === undefined || window.isDestroyed()
      ? dialog.showMessageBox(question)
      : dialog.showMessageBox(window, question));
    if (response === 0) supervisor.start();
    else app.quit();
  }

  async function askToExportKey(): Promise<void> {
    const texts = textsFor(app.getLocale());
    const { response } = await dialog.showMessageBox({
      type: 'warning',
      message: texts.exportTitle,
      detail: texts.exportDetail,
      buttons: [texts.exportKey.replace('…', ''), texts.cancel],
      defaultId: 1,
      cancelId: 1,
    });
    if (response !== 0) return;
    try {
      const file = exportKey(places.dataDirectory, keyStore());
      await dialog.showMessageBox({ type: 'info', message: texts.exportDone, detail: file, buttons: [] });
      showMenu();
    } catch (error) {
      dialog.showErrorBox(texts.exportFailed, (error as Error).message);
    }
  }

  function showMenu(): void {
    const canExport = hasWrappedKey(places.dataDirectory);
    setMenu({ texts: textsFor(app.getLocale()), exportKey: canExport ? () => void askToExportKey() : undefined });
  }

  app.on('second-instance', () => {
    if (window === undefined) return;
    if (window.isMinimized()) window.restore();
    window.show();
    window.focus();
  });
  app.on('window-all-closed', () => app.quit());

  let isStopped = false;
  app.on('before-quit', (event) => {
    if (isStopped) return;
    // The core stores its checkpoints first; then quitting goes on.
    event.preventDefault();
    window?.hide();
    void supervisor.stop().then(() => {
      isStopped = true;
      app.quit();
    });
  });

  void app.whenReady().then(() => {
    serveWindow(places.windowDirectory);
    refusePermissions();
    send = relay({
      call: (name, input) => supervisor.call(name, input),
      link: () => supervisor.link(),
      contents: () => (window === undefined || window.isDestroyed() ? undefined : window.webContents),
      isOurs,
    });
    supervisor.start();
    showMenu();
    window = openWindow({ url: devUrl ?? WINDOW_URL, preload: places.preload, isOurs, preferences: openPreferences() });
    const bench = app.isPackaged ? undefined : process.env[BENCH_LINE_VARIABLE];
    if (bench !== undefined) window.webContents.once('did-finish-load', () => measureForBench(bench, () => app.quit()));
  });
}
