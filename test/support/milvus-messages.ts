/** Milvus' public messages as plain objects, for tests that look at bytes from Milvus' side. 64-bit values are strings. */
import protobuf from 'protobufjs/light.js';
import definitions from '@zilliz/milvus2-sdk-node/dist/milvus/proto-json/milvus.base.js';

// A CommonJS module: Node hands over its exports, vitest what it exports as default.
const json = 'default' in definitions ? definitions.default : definitions;
const root = protobuf.Root.fromJSON(json);
root.resolveAll();

/** `name` as in `milvus.proto.milvus.<name>`, or with its package, such as `schema.FieldData`. */
const typeOf = (name: string): protobuf.Type =>
  root.lookupType(`milvus.proto.${name.includes('.') ? name : `milvus.${name}`}`);

export function encodeMessage(name: string, message: object): Uint8Array {
  const type = typeOf(name);
  return type.encode(type.fromObject(message)).finish();
}

/** Only the fields that are on the wire. */
export function decodeRequest(name: string, bytes: Uint8Array): Record<string, unknown> {
  const type = typeOf(name);
  return type.toObject(type.decode(bytes), { longs: String, enums: Number });
}
