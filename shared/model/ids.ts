/** Branded strings and numbers, so that two of them cannot be swapped by accident. Branding exists at compile time only. */

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** Identity of a task (protection), chosen by the operator or generated; safe in file names: `[a-z0-9-]{1,64}`. */
export type TaskId = Branded<string, 'TaskId'>;
/** A physical channel of the source: the name of a NATS stream, Kafka topic or Pulsar topic. */
export type PChannel = Branded<string, 'PChannel'>;
/** One shard of one collection inside a physical channel: `<pchannel>_<collectionId>v<shard>`. */
export type VChannel = Branded<string, 'VChannel'>;
/** The source's 64-bit collection id. */
export type CollectionId = Branded<bigint, 'CollectionId'>;
/** The source's 64-bit partition id. */
export type PartitionId = Branded<bigint, 'PartitionId'>;

export const asTaskId = (value: string): TaskId => value as TaskId;
export const asPChannel = (value: string): PChannel => value as PChannel;
export const asVChannel = (value: string): VChannel => value as VChannel;
export const asCollectionId = (value: bigint): CollectionId => value as CollectionId;
export const asPartitionId = (value: bigint): PartitionId => value as PartitionId;
