import { describe, expect, it } from 'vitest';
import { isTakenUp } from '../../../../electron/engine/jobs/bench-channels.ts';

/** Values of a live 2.3.5's etcd; the schema is cut down to its name. */
const watched = (state: string, channel: string): Uint8Array =>
  Buffer.from(`${channel}208380b0c7ecaf8dc40610c1f195d806${state}2a0c0a0a62656e63685f636f7079`, 'hex');
const CHANNEL =
  '0a6d089980c098e9af8dc406122f6c61622d736f757263652d726f6f74636f6f72642d646d6c5f305f34373036383439373838303936363736303976301a300a1a6c61622d736f757263652d726f6f74636f6f72642d646d6c5f3012080000000000000000';

describe("a channel's place with its data node", () => {
  it.each([
    ['taken up', '1803', true],
    ['to be taken up', '1802', false],
    ['to be given back', '1805', false],
    ['in the state that has no bytes', '', false],
  ])('is read: %s', (_, state, expected) => {
    expect(isTakenUp(watched(state, CHANNEL))).toBe(expected);
  });
});
