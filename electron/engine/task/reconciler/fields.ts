/**
 * Fields that the source has added to a collection (Milvus 2.6 and later): the copy is given them as soon as the catalogue shows
 * them, or as soon as rows have a column of one.
 *
 * Without a stamp, and beside the collection's line. A stamp is passed when the log has been applied, and rows in front of it
 * may be what waits for the field. It is not needed: nobody else makes the field (the log's message is passed over), a
 * repetition is answered by what is there, and a field that is there early changes nothing: rows that were written before it
 * have no column of it, and a server gives them what it gives the rows of the source, null or the default.
 *
 * The same goes for limits (`max_length`, `max_capacity`) that the source has raised (AlterCollectionField, 2.5): the first row
 * that is too long for the old one may stand in front of the stamp, and a limit that is raised early refuses nothing. What is
 * lowered, and all other settings, wait for it (`diff.ts`).
 */
import { nameText } from '../../../../shared/model/collection-name.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import type { FieldSlice } from '../../codec/records.ts';
import { parseCollectionSchema, type CollectionSchema, type SchemaField } from '../../codec/collection-schema.ts';
import { unsupportedPart } from '../../codec/field-types.ts';
import { wholeFields, type WholeField } from '../../codec/schema-rewrite.ts';
import { isRefused } from '../../errors/policy.ts';
import { retrying, type RetryObserver } from '../../runtime/retry.ts';
import { pause, SerialLane } from '../../runtime/waiting.ts';
import type { Catalog } from '../../source/catalog/catalog.ts';
import type { CollectionAddress } from '../../milvus/collection-address.ts';
import type { Target } from '../../target/target.ts';
import type { CollectionReplica } from '../collection-replica.ts';
import type { FieldSetting, Step } from './diff.ts';
import type { StepJournal } from './step-journal.ts';
import { askedOf, makeStep } from './steps.ts';
import { settingsOf } from './wanted.ts';

/** A server writes rows with a field after it has stored the field, so one reading should do. */
const READINGS_MAX = 5;
const READING_PAUSE_MS = 2_000;
const LIMITS: ReadonlySet<string> = new Set(['max_length', 'max_capacity']);

export interface AddedFieldsContext {
  readonly catalog: Pick<Catalog, 'collection'>;
  readonly target: Target;
  readonly journal: StepJournal;
  readonly observer: RetryObserver;
  readonly notice: (text: string) => void;
}

export class AddedFields {
  readonly #context: AddedFieldsContext;
  /** One at a time for each copy: rows of all shards ask for the same. Limits apart, so that no field waits behind one that is asked about. */
  readonly #fieldLanes = new WeakMap<CollectionReplica, SerialLane>();
  readonly #limitLanes = new WeakMap<CollectionReplica, SerialLane>();

  /** Limits that the target refused, or which were left out: not tried again in this run. */
  readonly #limitsLeft = new Set<string>();

  constructor(context: AddedFieldsContext) {
    this.#context = context;
  }

  /** `schema`: serialized `schema.CollectionSchema`, as the catalogue shows it now. */
  isBehind(replica: CollectionReplica, schema: Uint8Array): boolean {
    return missingFields(replica, schema).length > 0 || this.#raisedLimits(replica, schema).length > 0;
  }

  /**
   * The copy is given all that the catalogue shows. On the target first, then in the history, then on disk: whatever a kill
   * leaves undone is done again, and is the same. Rejects where the target cannot have one. What was left out stays so, since
   * rows were written without it; unless it `isCopied`: all rows are about to be.
   */
  async take(replica: CollectionReplica, schema: Uint8Array, isCopied = false): Promise<void> {
    await this.#addAll(replica, schema, isCopied);
    await inLaneOf(this.#limitLanes, replica, async () => {
      for (const raised of this.#raisedLimits(replica, schema)) await this.#raise(replica, raised);
    });
  }

  #addAll(replica: CollectionReplica, schema: Uint8Array, isCopied = false): Promise<void> {
    return inLaneOf(this.#fieldLanes, replica, async () => {
      for (const missing of missingFields(replica, schema)) await this.#add(replica, missing, schema, isCopied);
    });
  }

  /** Rows have columns that the copy has no field for, which `missing` names as long as it is so. They wait here. */
  async need(replica: CollectionReplica, missing: () => readonly FieldSlice[]): Promise<void> {
    const { catalog, observer } = this.#context;
    for (let reading = 1; missing().length > 0; reading += 1) {
      const found = await retrying(() => catalog.collection(replica.id), replica.signal, observer);
      if (found === 'gone') this.#withoutFields(replica, missing());
      else if (found !== undefined && found !== 'creating') await this.#addAll(replica, found.schema);
      const [first] = missing();
      if (first === undefined) return;
      if (reading === READINGS_MAX) throw fieldUnknown(replica.address, first);
      await pause(READING_PAUSE_MS, replica.signal);
    }
  }

  /** The target has refused rows. @returns whether the copy has another schema by now, with which it may take them. */
  async refused(replica: CollectionReplica, sentWith: CollectionSchema): Promise<boolean> {
    const { catalog, observer } = this.#context;
    const found = await retrying(() => catalog.collection(replica.id), replica.signal, observer);
    if (found !== undefined && found !== 'gone' && found !== 'creating') await this.take(replica, found.schema);
    return replica.schema !== sentWith;
  }

  /** A setting was altered by a step: the copy's field is what the catalogue shows. */
  altered(replica: CollectionReplica, name: string, schema: Uint8Array): void {
    const whole = wholeFields(schema).find(({ field }) => field.name === name);
    if (whole !== undefined) replica.fieldAltered(whole.bytes);
  }

  #raisedLimits(replica: CollectionReplica, schema: Uint8Array): RaisedLimit[] {
    const held = new Map(replica.schema.fields.map(({ id, typeParams }) => [id, typeParams]));
    return wholeFields(schema).flatMap((whole) =>
      settingsOf(whole.field).flatMap((setting) => {
        const before = held.get(whole.field.id)?.get(setting.key);
        const isRaised = LIMITS.has(setting.key) && before !== undefined && Number(setting.value) > Number(before);
        return isRaised && !this.#limitsLeft.has(nameOfLimit(replica, setting)) ? [{ ...whole, setting }] : [];
      }),
    );
  }

  /** What the target cannot do is said: the rows that need it are refused when they come. */
  async #raise(replica: CollectionReplica, { bytes, setting }: RaisedLimit): Promise<void> {
    const { journal, target, notice } = this.#context;
    const { field, key, value } = setting;
    const step = { kind: 'alterField', field, property: { key, value } } as const satisfies Step;
    try {
      const asked = { ...askedOf(step), holdsRows: true };
      if (await journal.run(asked, replica, () => makeStep(target, replica, step))) {
        replica.fieldAltered(bytes);
        return;
      }
    } catch (error) {
      if (!isRefused(error) || replica.signal.aborted) throw error;
      notice(notAltered(replica.address, field, error));
    }
    this.#limitsLeft.add(nameOfLimit(replica, setting));
  }

  async #add(
    replica: CollectionReplica,
    { field, bytes }: WholeField,
    schema: Uint8Array,
    isCopied: boolean,
  ): Promise<void> {
    const { journal, target, notice } = this.#context;
    const { address } = replica;
    const id = `addField/${replica.id}/${field.id}`;
    const add = async (): Promise<void> => {
      const problem = problemOf(field, schema);
      if (problem !== undefined) throw cannotBeAdded(address, problem);
      await replica.onTarget('addField', (signal) => target.addField(address, bytes, signal));
    };
    const isLeftOut = !isCopied && journal.wasLeftOut(id, replica);
    if (
      !isLeftOut &&
      (await journal.run({ operation: 'addField', object: field.name, id, holdsRows: true }, replica, add))
    ) {
      replica.fieldAdded(bytes);
      return;
    }
    replica.leaveOutField(field.id);
    notice(
      `The source has added a field ${field.name} to ${nameText(address)}. The copy does not get it, as decided, and its rows are written without it.`,
    );
  }

  /** What these fields were nobody can tell any more. The copy is to be dropped, by the log or by the catalogue's word. */
  #withoutFields(replica: CollectionReplica, columns: readonly FieldSlice[]): void {
    for (const { fieldId } of columns) replica.leaveOutField(fieldId);
    const names = columns.map(({ fieldName }) => fieldName).join(', ');
    this.#context.notice(
      `${nameText(replica.address)} was dropped at the source after it had been given the field ${names}. Until its copy is dropped too, its last rows are without it there.`,
    );
  }
}

function inLaneOf(
  lanes: WeakMap<CollectionReplica, SerialLane>,
  replica: CollectionReplica,
  body: () => Promise<void>,
): Promise<void> {
  const lane = lanes.get(replica) ?? new SerialLane();
  lanes.set(replica, lane);
  return lane.run(() => replica.beside(body));
}

interface RaisedLimit extends WholeField {
  readonly setting: FieldSetting;
}

const nameOfLimit = ({ id }: CollectionReplica, { field, key, value }: FieldSetting): string =>
  `${id}/${field}/${key}/${value}`;

export const notAltered = (address: CollectionAddress, field: string, { message }: Error): string =>
  `A setting of the field ${field} of ${nameText(address)} stays as it is on the target: ${message}`;

function missingFields(replica: CollectionReplica, schema: Uint8Array): WholeField[] {
  const known = new Set(replica.schema.fields.map(({ id }) => id));
  return wholeFields(schema).filter(
    ({ field }) =>
      !known.has(field.id) &&
      !replica.leavesOutField(field.id) &&
      // Servers differ in whether they list it.
      !(field.isDynamic && replica.schema.enableDynamicField),
  );
}

/** Why Lifeline cannot bring it over, as the subject and verb of a sentence about the collection. */
function problemOf(field: SchemaField, schema: Uint8Array): string | undefined {
  // No call of the public API adds either.
  if (field.isDynamic) return 'its dynamic field is new';
  const whole = parseCollectionSchema(schema);
  const isOutput = !('kind' in whole) && whole.fields.find(({ id }) => id === field.id)?.isFunctionOutput === true;
  if (isOutput) return `its field ${field.name} is filled by a function`;
  return unsupportedPart({ fields: [field], functions: [], structFields: [] });
}

function cannotBeAdded({ database, collection }: CollectionAddress, problem: string): ReplicationError {
  return new ReplicationError(
    'unsupported',
    'source',
    `The source has added a field to ${database}.${collection} that this version of Lifeline cannot add to the copy: ${problem}. Copy the collection to a new place by a new task, or leave it out.`,
    { context: { database, collection, outcome: 'refused' } },
  );
}

function fieldUnknown({ database, collection }: CollectionAddress, { fieldName }: FieldSlice): ReplicationError {
  return new ReplicationError(
    'invalidRequest',
    'source',
    `Rows of ${database}.${collection} in the source's log have a field ${fieldName} that neither the copy nor the source's catalogue has. None of them was written. Copy the collection again, or resume once the catalogue shows the field.`,
    { context: { database, collection, outcome: 'refused' } },
  );
}
