/**
 * The window's side of the contract: checks who calls, what is called and with what, and passes it to the core. The core
 * checks again; this line is where a page that is not ours would have to come through.
 */
import { ipcMain, type IpcMainEvent, type IpcMainInvokeEvent, type WebContents } from 'electron';
import { IPC_CALL, IPC_EVENT, type ContractAnswer } from '../../shared/contract/client.ts';
import type { BridgeEvent } from '../../shared/contract/desktop.ts';
import { readCall } from '../../shared/contract/read-call.ts';

export interface RelayOptions {
  readonly call: (name: string, input: unknown) => Promise<ContractAnswer>;
  readonly link: () => BridgeEvent | undefined;
  /** The one window's contents, while there is one. */
  readonly contents: () => WebContents | undefined;
  /** True for an address that the window itself was loaded from. */
  readonly isOurs: (url: string) => boolean;
}

const NOT_OURS: ContractAnswer = {
  ok: false,
  error: {
    code: 'forbidden',
    side: 'config',
    message: 'Only the window of Lifeline may call.',
    context: {},
    causes: [],
    hint: '',
  },
};

/** Returns how to send an event to the window; it is dropped while nobody listens there. */
export function relay(options: RelayOptions): (event: BridgeEvent) => void {
  let listening: WebContents | undefined;

  const isTrusted = (event: IpcMainEvent | IpcMainInvokeEvent): boolean => {
    // Electron 9 has no `senderFrame`; there the preload script, and so the bridge, exists in the main frame only.
    const url = (event.senderFrame as typeof event.senderFrame | undefined)?.url ?? event.sender.getURL();
    return event.sender === options.contents() && options.isOurs(url);
  };

  ipcMain.handle(IPC_CALL, async (event, name: unknown, input: unknown): Promise<ContractAnswer> => {
    if (!isTrusted(event)) return NOT_OURS;
    const read = readCall(name, input);
    return read.ok ? options.call(read.name, read.input) : read;
  });

  ipcMain.on(IPC_EVENT, (event) => {
    if (!isTrusted(event)) return;
    listening = event.sender;
    const link = options.link();
    if (link !== undefined) listening.send(IPC_EVENT, link);
  });

  return (event) => {
    if (listening !== undefined && !listening.isDestroyed()) listening.send(IPC_EVENT, event);
  };
}
