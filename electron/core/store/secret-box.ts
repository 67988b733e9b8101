/**
 * Seals one record's secrets: AES-256-GCM under the data key, a random nonce per sealing, and the record's name as
 * additional data, so that a sealed record put in another's place does not open.
 *
 * Format 1: one byte 1, 12 bytes of nonce, the ciphertext, 16 bytes of tag.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { ReplicationError } from '../../../shared/model/replication-error.ts';

const FORMAT = 1;
/** What GCM is specified for; random ones are safe for far more sealings than a person makes. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export class SecretBox {
  readonly #key: Buffer;

  /** @param key 32 bytes. */
  constructor(key: Buffer) {
    this.#key = key;
  }

  /** @param name Unique among everything sealed with this key, such as "connection:orders". */
  seal(name: string, text: string): Uint8Array {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(name));
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([Buffer.of(FORMAT), nonce, sealed, cipher.getAuthTag()]);
  }

  /** @throws storeFailed: sealed with another key, for another record, or damaged. */
  open(name: string, sealed: Uint8Array): string {
    const bytes = Buffer.from(sealed);
    try {
      if (bytes[0] !== FORMAT) throw new Error(`Format ${bytes[0] ?? 'none'} is not known.`);
      const nonce = bytes.subarray(1, 1 + NONCE_BYTES);
      const decipher = createDecipheriv('aes-256-gcm', this.#key, nonce)
        .setAAD(Buffer.from(name))
        .setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
      const text = decipher.update(bytes.subarray(1 + NONCE_BYTES, bytes.length - TAG_BYTES));
      return Buffer.concat([text, decipher.final()]).toString('utf8');
    } catch (error) {
      throw new ReplicationError(
        'storeFailed',
        'store',
        'The stored secrets cannot be opened: they were encrypted with another key, or the store is damaged. Bring back the key that belongs to this data folder.',
        { cause: error, context: { record: name } },
      );
    }
  }
}
