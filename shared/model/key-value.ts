/** `common.KeyValuePair`: properties, index parameters. */
export interface KeyValue {
  readonly key: string;
  readonly value: string;
}
