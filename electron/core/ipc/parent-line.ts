/** The line to the process that started this one, by `child_process.fork` or as a utility process of Electron. */
import type { CoreToShell } from '../../../shared/contract/desktop.ts';

export interface ParentLine {
  send(message: CoreToShell): void;
  onMessage(listener: (message: unknown) => void): void;
  /** The parent has gone, or has let go of the line. */
  onClosed(listener: () => void): void;
  /** Nothing keeps the process alive through the line afterwards. */
  close(): void;
}

/** Electron's `process.parentPort`; its types belong to Electron, which the core does not know. */
interface UtilityPort {
  postMessage(message: unknown): void;
  on(event: 'message', listener: (event: { data: unknown }) => void): void;
  on(event: 'close', listener: () => void): void;
}

/** `undefined`: nobody started this process with a line. */
export function openParentLine(): ParentLine | undefined {
  const { parentPort } = process as unknown as { parentPort?: UtilityPort };
  if (parentPort !== undefined) {
    return {
      send: (message) => parentPort.postMessage(message),
      onMessage: (listener) => parentPort.on('message', ({ data }) => listener(data)),
      onClosed: (listener) => parentPort.on('close', listener),
      // The port ends with the process, and keeps it alive until then. Closing is the last thing the core does.
      close: () => process.exit(),
    };
  }
  if (process.send === undefined) return undefined;
  return {
    send: (message) => {
      // The end of the line is told by `disconnect`; a message that it swallowed is of no use to anybody.
      if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
    },
    onMessage: (listener) => void process.on('message', listener),
    onClosed: (listener) => void process.once('disconnect', listener),
    close: () => {
      if (process.connected) process.disconnect();
    },
  };
}
