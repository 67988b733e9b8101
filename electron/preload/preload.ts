/**
 * The only thing that the window gets from Electron: three named functions, no channel names, no IPC object. Runs in the
 * sandbox, so it is one file without dependencies, built as CommonJS.
 */
import { contextBridge, ipcRenderer } from 'electron';
import { IPC_CALL, IPC_EVENT, type ContractAnswer } from '../../shared/contract/client.ts';
import type { BridgeEvent, LifelineBridge } from '../../shared/contract/desktop.ts';

const bridge: LifelineBridge = {
  call: (name, input) => ipcRenderer.invoke(IPC_CALL, name, input) as Promise<ContractAnswer>,
  onEvent(listener) {
    // Without the IPC event, whose sender would hand out the IPC object.
    const receive = (_: unknown, event: BridgeEvent): void => listener(event);
    ipcRenderer.on(IPC_EVENT, receive);
    // Tells the shell that somebody listens; it answers with the link's state.
    ipcRenderer.send(IPC_EVENT);
    return () => void ipcRenderer.removeListener(IPC_EVENT, receive);
  },
  platform: process.platform,
};

contextBridge.exposeInMainWorld('lifeline', bridge);
