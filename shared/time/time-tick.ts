/**
 * Milvus' hybrid timestamp: an unsigned 64-bit integer, 46 bits of UTC milliseconds above 18 bits of a logical counter
 * (milvus `pkg/util/tsoutil`). Always a `bigint`; a JavaScript number would lose the low bits.
 */

declare const timeTickBrand: unique symbol;
export type TimeTick = bigint & { readonly [timeTickBrand]: 'TimeTick' };

const LOGICAL_BITS = 18n;

/** Before everything: no message carries it, so "nothing applied yet" needs no `undefined`. */
export const TIME_TICK_ZERO = 0n as TimeTick;
/** Above every time that will be. */
export const TIME_TICK_MAX = (2n ** 64n - 1n) as TimeTick;

export const asTimeTick = (value: bigint): TimeTick => value as TimeTick;

/** Wall clock of a tick in Unix milliseconds. */
export const timeTickToMs = (tick: TimeTick): number => Number(tick >> LOGICAL_BITS);

/** The first tick of a Unix millisecond. */
export const timeTickFromMs = (ms: number): TimeTick => (BigInt(Math.trunc(ms)) << LOGICAL_BITS) as TimeTick;
