/** The one window: sandboxed, closed to every address but its own, and remembered in place and size. */
import { app, BrowserWindow, nativeTheme, screen, session } from 'electron';
import type { PreferenceStore, WindowPlace } from './preferences.ts';

/** Below this the pages lose their columns. */
const WIDTH_MIN = 880;
const HEIGHT_MIN = 560;
/** Moving a window says so dozens of times a second. */
const REMEMBER_AFTER_MS = 500;
/** Before the page has ever said its own. */
const BACKGROUND = { light: '#f5f6f8', dark: '#14171c' };

export interface WindowOptions {
  readonly url: string;
  readonly preload: string;
  readonly isOurs: (url: string) => boolean;
  readonly preferences: PreferenceStore;
}

export function openWindow({ url, preload, isOurs, preferences }: WindowOptions): BrowserWindow {
  const place = onScreen(preferences.get('place'));
  const window = new BrowserWindow({
    ...place,
    minWidth: WIDTH_MIN,
    minHeight: HEIGHT_MIN,
    show: false,
    title: 'Lifeline',
    backgroundColor:
      preferences.get('background') || (nativeTheme.shouldUseDarkColors ? BACKGROUND.dark : BACKGROUND.light),
    webPreferences: {
      preload,
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      nodeIntegrationInSubFrames: false,
      webviewTag: false,
      spellcheck: false,
      // In Electron 9 this must be said; later ones know nothing else.
      ...({ enableRemoteModule: false } as object),
    },
  });
  if (place.isMaximized) window.maximize();
  window.once('ready-to-show', () => window.show());
  remember(window, preferences);
  void window
    .loadURL(url)
    .catch((error: unknown) => process.stderr.write(`The window could not load: ${(error as Error).message}\n`));
  guard(window, isOurs);
  return window;
}

/** What no page of ours asks for is refused: other addresses, other windows, permissions. */
function guard(window: BrowserWindow, isOurs: (url: string) => boolean): void {
  const { webContents: contents } = window;
  contents.on('will-navigate', (event, url) => {
    if (!isOurs(url)) event.preventDefault();
  });
  contents.on('will-redirect', (event, url) => {
    if (!isOurs(url)) event.preventDefault();
  });
  contents.on('will-attach-webview', (event) => event.preventDefault());
  const modern = (contents as Partial<typeof contents>).setWindowOpenHandler;
  if (modern !== undefined) contents.setWindowOpenHandler(() => ({ action: 'deny' }));
  // Before Electron 12; the types of later ones do not know it.
  else
    (contents as NodeJS.EventEmitter).on('new-window', (event: { preventDefault(): void }) => event.preventDefault());
}

/** To be called once, when the application is ready. Copying text is the one thing that the pages may do. */
export function refusePermissions(): void {
  const isAllowed = (permission: string): boolean => permission === 'clipboard-sanitized-write';
  const { defaultSession } = session;
  defaultSession.setPermissionRequestHandler((_, permission, decide) => decide(isAllowed(permission)));
  defaultSession.setPermissionCheckHandler((_, permission) => isAllowed(permission));
}

function remember(window: BrowserWindow, preferences: PreferenceStore): void {
  let timer: NodeJS.Timeout | undefined;
  const save = (): void => {
    if (timer !== undefined) clearTimeout(timer);
    timer = undefined;
    if (window.isDestroyed() || window.isMinimized()) return;
    const { x, y, width, height } = window.getNormalBounds();
    preferences.set('place', { x, y, width, height, isMaximized: window.isMaximized() });
  };
  const later = (): void => void (timer ??= setTimeout(save, REMEMBER_AFTER_MS));
  window.on('resize', later);
  window.on('move', later);
  window.on('close', save);
  app.once('before-quit', save);
  window.webContents.on('did-change-theme-color', (_, color) => {
    if (color !== null) preferences.set('background', color);
  });
}

/** The remembered place, without its position when no screen shows enough of it any more. */
function onScreen(place: WindowPlace): WindowPlace {
  const { x, y, width, height, isMaximized } = place;
  const size = { width: Math.max(width, WIDTH_MIN), height: Math.max(height, HEIGHT_MIN), isMaximized };
  if (x === undefined || y === undefined) return size;
  const isSeen = screen.getAllDisplays().some(({ workArea: area }) => {
    const overlapX = Math.min(x + width, area.x + area.width) - Math.max(x, area.x);
    const overlapY = Math.min(y + height, area.y + area.height) - Math.max(y, area.y);
    // A title bar's worth that can be grasped.
    return overlapX >= 120 && overlapY >= 40;
  });
  return isSeen ? { x, y, ...size } : size;
}
