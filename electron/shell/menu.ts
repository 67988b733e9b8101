/** The application's menu: the standard roles in the window's language, and the shell's one action of its own. */
import { Menu, type MenuItemConstructorOptions } from 'electron';
import type { Texts } from './texts.ts';

type Role = NonNullable<MenuItemConstructorOptions['role']> & keyof Texts;

export interface MenuOptions {
  readonly texts: Texts;
  /** Absent where there is no key to export. */
  readonly exportKey: (() => void) | undefined;
}

export function setMenu({ texts, exportKey }: MenuOptions): void {
  const isMac = process.platform === 'darwin';
  const role = (name: Role): MenuItemConstructorOptions => ({ role: name, label: texts[name] });
  const line: MenuItemConstructorOptions = { type: 'separator' };
  const menu = (label: string, items: MenuItemConstructorOptions[]): MenuItemConstructorOptions => ({
    label,
    submenu: items,
  });

  Menu.setApplicationMenu(
    Menu.buildFromTemplate([
      ...(isMac ? [{ role: 'appMenu' } as const] : []),
      menu(texts.file, [
        ...(exportKey === undefined ? [] : [{ label: texts.exportKey, click: exportKey }, line]),
        role(isMac ? 'close' : 'quit'),
      ]),
      menu(texts.edit, [role('undo'), role('redo'), line, role('cut'), role('copy'), role('paste'), role('selectAll')]),
      menu(texts.view, [
        role('reload'),
        role('toggleDevTools'),
        line,
        role('resetZoom'),
        role('zoomIn'),
        role('zoomOut'),
        line,
        role('togglefullscreen'),
      ]),
      menu(texts.window, [role('minimize'), ...(isMac ? [role('zoom')] : [role('close')])]),
    ]),
  );
}
