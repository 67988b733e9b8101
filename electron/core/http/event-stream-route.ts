/** `GET /api/events`: the hub's events as a stream that a broken line can take up again (`Last-Event-ID`). */
import type { ServerResponse } from 'node:http';
import { formatStreamedEvent } from '../../../shared/contract/event-stream.ts';
import type { EventHub, HubEvent } from '../services/event-hub.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

/** Proxies and clients give up a line on which nothing moves; ours after three times this. */
const HEARTBEAT_MS = 15_000;
/** A listener that lets so much pile up is cut off; it takes up the stream again where it was. */
const UNSENT_BYTES_MAX = 8 * 1024 * 1024;

export interface EventStream {
  /** May be called twice. */
  end(): void;
}

/**
 * Takes the answer over; it ends when the other side goes away, the server closes, or with `end`. The first event, `link`, says
 * "connected", or "resumed" when events were missed that can no longer be told.
 * @param onHeartbeat Now and then, for as long as the stream is open.
 */
export function streamEvents(
  hub: EventHub,
  response: ServerResponse,
  lastEventId: string | undefined,
  onHeartbeat: () => void,
): EventStream {
  response.writeHead(200, { ...SECURITY_HEADERS, 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
  const missed = lastEventId === undefined ? [] : hub.since(lastEventId);
  const send = (event: HubEvent): void => {
    response.write(formatStreamedEvent(event.name, event.json, event.id));
    if (response.writableLength > UNSENT_BYTES_MAX) response.destroy();
  };
  // Nothing can happen between the look at what was missed and the subscription: no other code runs meanwhile.
  const greeting = missed === undefined ? '"resumed"' : '"connected"';
  const startId = missed === undefined || missed.length === 0 ? hub.lastId : lastEventId;
  response.write(formatStreamedEvent('link', greeting, startId));
  for (const event of missed ?? []) send(event);
  const unsubscribe = hub.on(send);
  const heartbeat = setInterval(() => {
    response.write(': still here\n\n');
    onHeartbeat();
  }, HEARTBEAT_MS);
  heartbeat.unref();
  const letGo = (): void => {
    unsubscribe();
    clearInterval(heartbeat);
  };
  response.once('close', letGo);
  return {
    end() {
      letGo();
      response.end();
    },
  };
}
