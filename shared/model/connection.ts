/** How to reach a source and a target: the payload schemas of connections, shared by every front door. */
import { z } from 'zod';

/** PEM texts, never paths: the core reads files, the engine does not. */
export const tlsSchema = z.strictObject({
  ca: z.string().optional(),
  cert: z.string().optional(),
  key: z.string().optional(),
  serverName: z.string().optional(),
});

/** `host:port`, with or without a scheme. */
const addressSchema = z.string().min(1, 'An address is needed, such as "127.0.0.1:19530".');

export const milvusEndpointSchema = z.strictObject({
  address: addressSchema,
  username: z.string().optional(),
  password: z.string().optional(),
  /** An API key; takes the place of user name and password. */
  token: z.string().optional(),
  tls: tlsSchema.optional(),
});

export const etcdEndpointSchema = z.strictObject({
  endpoints: z.array(addressSchema).min(1),
  /** Milvus' `etcd.rootPath`. */
  rootPath: z.string().min(1).default('by-dev'),
  /** Milvus' `etcd.metaSubPath`. */
  metaSubPath: z.string().min(1).default('meta'),
  username: z.string().optional(),
  password: z.string().optional(),
  tls: tlsSchema.optional(),
});

export const natsEndpointSchema = z.strictObject({
  kind: z.literal('nats'),
  servers: z.array(addressSchema).min(1),
  username: z.string().optional(),
  password: z.string().optional(),
  token: z.string().optional(),
  tls: tlsSchema.optional(),
  /** Milvus' `common.chanNamePrefix.cluster`, with which every channel name begins. */
  channelPrefix: z.string().min(1).default('by-dev'),
});

/** The log's kinds; Kafka and Pulsar join this union with their adapters. */
export const walEndpointSchema = z.discriminatedUnion('kind', [natsEndpointSchema]);

export const sourceConnectionSchema = z.strictObject({
  etcd: etcdEndpointSchema,
  wal: walEndpointSchema,
});

export const targetConnectionSchema = z.strictObject({
  milvus: milvusEndpointSchema,
});

export type TlsOptions = z.infer<typeof tlsSchema>;
export type MilvusEndpoint = z.infer<typeof milvusEndpointSchema>;
export type EtcdEndpoint = z.infer<typeof etcdEndpointSchema>;
export type NatsEndpoint = z.infer<typeof natsEndpointSchema>;
export type WalEndpoint = z.infer<typeof walEndpointSchema>;
export type SourceConnection = z.infer<typeof sourceConnectionSchema>;
export type TargetConnection = z.infer<typeof targetConnectionSchema>;
