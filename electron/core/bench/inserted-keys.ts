/** Which keys a call of Insert or Upsert brings, and whether it succeeded, from its bytes as gRPC sends them. */
import protobuf from 'protobufjs/light.js';
import definitions from '@zilliz/milvus2-sdk-node/dist/milvus/proto-json/milvus.base.js';

/** Before each message: whether it is packed, and its length. */
const FRAME_HEAD_BYTES = 5;

interface Inserted {
  readonly fieldsData: readonly {
    readonly fieldName: string;
    readonly scalars?: { readonly longData?: { readonly data: readonly number[] } };
  }[];
}

interface Mutation {
  readonly status?: { readonly errorCode: number; readonly code: number };
}

let cached: protobuf.Namespace | undefined;
function decode(type: string, frame: Uint8Array): object {
  const root = (cached ??= protobuf.Root.fromJSON(
    'default' in definitions ? definitions.default : definitions,
  ).resolveAll());
  const found = root.lookupType(`milvus.proto.milvus.${type}`);
  const message = found.decode(frame.subarray(FRAME_HEAD_BYTES));
  return found.toObject(message, { longs: Number, enums: Number, arrays: true });
}

/**
 * Of a column `id` of Int64; none where there is no such column. Upsert's request has the same fields under the same
 * numbers as far as they are read here.
 *
 * @param frame One unpacked message.
 */
export function insertedKeys(frame: Uint8Array): readonly number[] {
  const { fieldsData } = decode('InsertRequest', frame) as Inserted;
  return fieldsData.find(({ fieldName }) => fieldName === 'id')?.scalars?.longData?.data ?? [];
}

/** @param frame The answer to one of the two; may be empty where there was none. */
export function isSuccess(frame: Uint8Array): boolean {
  if (frame.byteLength < FRAME_HEAD_BYTES) return false;
  const { status } = decode('MutationResult', frame) as Mutation;
  return (status?.errorCode ?? 0) === 0 && (status?.code ?? 0) === 0;
}
