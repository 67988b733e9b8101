/** What the bench asks of the channels that a data coordinator keeps in its etcd. */
import { readChannelWatchInfo } from '../source/catalog/etcd-messages.ts';

/** `ToWatch` 2 and `ToRelease` 5 are what the data node is still to do, in the order of their coming. */
const WATCH_SUCCESS = 3;

/** Whether the data node has taken the channel up and is not asked to give it back. */
export const isTakenUp = (watchInfo: Uint8Array): boolean => readChannelWatchInfo(watchInfo).state === WATCH_SUCCESS;
