/** What the shell itself remembers, and nothing else: how the window stood, and the colour of its page. */
import Store from 'electron-store';

export interface WindowPlace {
  readonly x?: number;
  readonly y?: number;
  readonly width: number;
  readonly height: number;
  readonly isMaximized: boolean;
}

interface Preferences {
  place: WindowPlace;
  /** The page's own `theme-color`, so that the next start does not flash in the other theme. Empty: not known. */
  background: string;
}

export type PreferenceStore = Store<Preferences>;

export function openPreferences(): PreferenceStore {
  return new Store<Preferences>({
    name: 'window',
    // A preference file that somebody broke by hand is worth less than a window that opens.
    clearInvalidConfig: true,
    defaults: { place: { width: 1280, height: 820, isMaximized: false }, background: '' },
  });
}
