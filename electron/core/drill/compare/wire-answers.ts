/** The parts of Milvus' answers that the judge reads, as the client library's protocol definitions decode them. */

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

export interface WireField {
  readonly name: string;
  readonly description: string;
  readonly data_type: string;
  readonly element_type: string;
  readonly is_primary_key: boolean;
  readonly autoID: boolean;
  readonly is_partition_key: boolean;
  /** From here on absent in answers of servers that do not know it. */
  readonly is_clustering_key?: boolean;
  readonly nullable?: boolean;
  readonly is_function_output?: boolean;
  readonly default_value?: object | null;
  readonly type_params: readonly KeyValue[];
}

export interface DescribeCollectionAnswer {
  readonly schema: {
    readonly description: string;
    readonly enable_dynamic_field: boolean;
    readonly fields: readonly WireField[];
    readonly functions?: readonly WireFunction[];
  };
  readonly shards_num: number;
  readonly consistency_level: string;
  readonly properties: readonly KeyValue[];
}

export interface WireFunction {
  readonly name: string;
  readonly type: string;
  readonly input_field_names: readonly string[];
  readonly output_field_names: readonly string[];
  readonly params: readonly KeyValue[];
}

export interface IndexDescription {
  readonly index_name: string;
  readonly field_name: string;
  readonly params: readonly KeyValue[];
}

/** One column of a query's answer: integers of 64 bits as text, JSON and binary vectors as bytes. */
export interface WireColumn {
  readonly field_name: string;
  readonly scalars?: {
    readonly data: string;
    readonly bool_data?: ScalarData;
    readonly int_data?: ScalarData;
    readonly long_data?: ScalarData;
    readonly float_data?: ScalarData;
    readonly double_data?: ScalarData;
    readonly string_data?: ScalarData;
    readonly json_data?: ScalarData;
    readonly array_data?: ScalarData & { readonly element_type?: string };
  };
  readonly vectors?: {
    readonly dim: string;
    readonly float_vector?: { readonly data: ArrayLike<number> };
    readonly binary_vector?: Uint8Array;
    readonly float16_vector?: Uint8Array;
    readonly bfloat16_vector?: Uint8Array;
    readonly int8_vector?: Uint8Array;
    readonly sparse_float_vector?: { readonly contents: readonly Uint8Array[] };
  };
  /** Of each row whether it has a value; empty where the field cannot be null. */
  readonly valid_data?: readonly boolean[];
}

export interface ScalarData {
  readonly data: readonly unknown[];
}

export interface QueryAnswer {
  readonly fields_data: readonly WireColumn[];
}
