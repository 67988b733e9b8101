/** A collection by its names, on either side. */
export interface CollectionAddress {
  readonly database: string;
  readonly collection: string;
}
