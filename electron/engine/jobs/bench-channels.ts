/** What a data coordinator keeps in its etcd of each channel and its data node (`datapb.ChannelWatchInfo` of Milvus 2.3). */
import { WireCursor } from '../codec/wire.ts';

const STATE = 3;
/** `ToWatch` 2 and `ToRelease` 5 are what the data node is still to do, in the order of their coming. */
const WATCH_SUCCESS = 3;

/** Whether the data node has taken the channel up and is not asked to give it back. @throws MalformedWire */
export function isTakenUp(watchInfo: Uint8Array): boolean {
  const cursor = new WireCursor(watchInfo);
  let state = 0;
  while (cursor.next()) {
    if (cursor.field === STATE) state = cursor.number();
    else cursor.skip();
  }
  return state === WATCH_SUCCESS;
}
