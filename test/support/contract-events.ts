/** Waiting for what the core says unasked. */
import type { ContractClient, LinkState } from '../../shared/contract/client.ts';
import type { EventName, EventPayload } from '../../shared/contract/procedures.ts';

/** The first event from now on that fits. Register it before the cause. */
export function nextEvent<N extends EventName>(
  client: ContractClient,
  name: N,
  fits: (payload: EventPayload<N>) => boolean,
  timeoutMs = 20_000,
): Promise<EventPayload<N>> {
  return new Promise((resolve, reject) => {
    let last: unknown;
    const off = client.on(name, (payload) => {
      last = payload;
      if (!fits(payload)) return;
      clearTimeout(timer);
      off();
      resolve(payload);
    });
    const timer = setTimeout(() => {
      off();
      reject(new Error(`No fitting ${name} within ${timeoutMs} ms. The last one: ${JSON.stringify(last)}`));
    }, timeoutMs);
  });
}

/** From then on no event is missed. */
export function whenLinked(client: ContractClient, wanted: LinkState = 'connected', timeoutMs = 20_000): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`The line was not ${wanted} within ${timeoutMs} ms.`)), timeoutMs);
    const off = client.onLink((state) => {
      if (state !== wanted) return;
      clearTimeout(timer);
      // The listener may be called before `onLink` has returned how to end it.
      queueMicrotask(() => off());
      resolve();
    });
  });
}
