/** How to reach a source and a target: the payload schemas of connections, shared by every front door. */
import { z } from 'zod';

/** PEM texts, never paths: the core reads files, the engine does not. */
const tlsSchema = z.strictObject({
  ca: z.string().optional(),
  cert: z.string().optional(),
  key: z.string().optional(),
  serverName: z.string().optional(),
});

/** `host:port`, with or without a scheme. Never with a user name in it: addresses stand in messages and logs. */
const addressSchema = z
  .string()
  .min(1, 'An address is needed, such as "127.0.0.1:19530".')
  .refine(
    (address) => !address.includes('@'),
    'An address holds no user name or password; they have fields of their own.',
  );

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

export const kafkaEndpointSchema = z.strictObject({
  kind: z.literal('kafka'),
  /** Any of the cluster's brokers; they name the others under their advertised addresses. */
  brokers: z.array(addressSchema).min(1),
  sasl: z
    .strictObject({
      mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']),
      username: z.string().min(1),
      /** Absent in what the core tells of a connection; without one the broker is offered an empty one. */
      password: z.string().optional(),
    })
    .optional(),
  tls: tlsSchema.optional(),
  /** Milvus' `common.chanNamePrefix.cluster`, with which every channel name begins. */
  channelPrefix: z.string().min(1).default('by-dev'),
});

/** The log's kinds; Pulsar joins this union with its adapter. */
export const walEndpointSchema = z.discriminatedUnion('kind', [natsEndpointSchema, kafkaEndpointSchema]);

export const sourceConnectionSchema = z.strictObject({
  etcd: etcdEndpointSchema,
  wal: walEndpointSchema,
  /** Where its rows can be read: needed for a copy. */
  milvus: milvusEndpointSchema.optional(),
});

export const targetConnectionSchema = z.strictObject({
  milvus: milvusEndpointSchema,
});

export type TlsOptions = z.infer<typeof tlsSchema>;
export type MilvusEndpoint = z.infer<typeof milvusEndpointSchema>;
export type EtcdEndpoint = z.infer<typeof etcdEndpointSchema>;
export type NatsEndpoint = z.infer<typeof natsEndpointSchema>;
export type KafkaEndpoint = z.infer<typeof kafkaEndpointSchema>;
export type WalEndpoint = z.infer<typeof walEndpointSchema>;
export type SourceConnection = z.infer<typeof sourceConnectionSchema>;
export type TargetConnection = z.infer<typeof targetConnectionSchema>;
