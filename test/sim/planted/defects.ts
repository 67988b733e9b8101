/**
 * Defects that the simulation must find: each is one change of one line at a place where a promise is kept. They are put
 * into the source as a test loads it (`planted.ts`).
 */
export interface Defect {
  readonly name: string;
  /** Of the source, from its root. */
  readonly file: string;
  /** Occurs there once. */
  readonly from: string;
  readonly to: string;
  /** Suites beside the random lives that may find it. */
  readonly suites?: readonly string[];
}

const TASK = 'electron/engine/task';

export const DEFECTS: readonly Defect[] = [
  {
    name: 'checkpoint before confirmation',
    file: `${TASK}/shard-lane.ts`,
    from: 'if (batch.entries.length > 0) await this.#owner.applyEntries',
    to: 'this.#confirm(batch.checkpoint); if (batch.entries.length > 0) await this.#owner.applyEntries',
  },
  {
    name: "the tick's own message as resume point",
    file: `${TASK}/tick-assembler.ts`,
    from: 'ordinal: oldestBehind ?? ordinal',
    to: 'ordinal',
  },
  {
    name: 'messages of a tick not sorted',
    file: `${TASK}/tick-assembler.ts`,
    from: 'withoutRepeats(due.sort(inLogOrder), repeated)',
    to: 'withoutRepeats(due, repeated)',
  },
  {
    name: 'repeated messages of a tick kept',
    file: `${TASK}/tick-assembler.ts`,
    from: 'if (!seen[entry.kind].has(entry.messageId)) {',
    to: 'if (seen) {',
  },
  {
    name: 'a drop that waits for no other shard',
    file: `${TASK}/shard-barrier.ts`,
    from: 'if (barrier.isRunning || !this.#shards.every((vchannel) => this.#isThere(barrier, vchannel))) return;',
    to: 'if (barrier.isRunning) return;',
  },
  {
    name: 'end of the copy taken before its last read',
    file: `${TASK}/copy-runner.ts`,
    from: 'ends.set(vchannel, ordinal);',
    to: 'ends.set(vchannel, pinned.find((shard) => shard.vchannel === vchannel)?.intent ?? ordinal);',
  },
  {
    name: 'replay that inserts',
    file: `${TASK}/copy-runner.ts`,
    from: 'intent: ends.get(shard.vchannel) })',
    to: 'intent: 0n })',
  },
  {
    name: 'beginning of the replay taken after the first read',
    file: `${TASK}/copy-runner.ts`,
    from: 'shards: pinned.map((shard) => ({ ...shard,',
    to: "shards: pinned.map((shard) => ({ ...shard, checkpoint: { ...shard.checkpoint, resume: { ...shard.checkpoint.resume, kind: 'after', ordinal: ends.get(shard.vchannel) } },",
  },
  {
    name: 'page of a copy written before its intent is stored',
    file: `${TASK}/collection-copy.ts`,
    from: 'store.saveCopyProgress(id, progress);',
    to: '',
  },
  {
    name: 'intent mark stored after the write',
    file: `${TASK}/entry-applier.ts`,
    from: 'await intents.cover(lane, write.lastOrdinal);',
    to: 'await writer.write(write); return intents.cover(lane, write.lastOrdinal);',
  },
  {
    name: 'intent mark not stored at all',
    file: `${TASK}/intent-marks.ts`,
    from: 'this.#store.saveIntents(marks);',
    to: '',
  },
  {
    name: 'writes of one key sent side by side',
    file: `${TASK}/write-window.ts`,
    from: 'new Set(this.#places.filter((place) => mustWait(write, place)))',
    to: 'new Set()',
  },
  {
    name: 'joined part that does not wait for what stands before',
    file: `${TASK}/write-window.ts`,
    from: 'place.after.add(earlier);',
    to: 'place.after.delete(earlier);',
  },
  {
    name: 'checkpoint at the newest confirmed write',
    file: `${TASK}/write-window.ts`,
    from: "findIndex(({ state }) => state !== 'confirmed')",
    to: "findLastIndex(({ state }) => state === 'confirmed') + 1",
  },
  {
    name: 'drop that does not wait for its own shard',
    file: `${TASK}/entry-applier.ts`,
    from: 'await lane.whenWritten();',
    to: '',
  },
  {
    name: 'inserts joined across a delete of the same key',
    file: `${TASK}/write-window.ts`,
    from: 'if (after.has(place)) return false;',
    to: 'if ((after as Set<unknown>).delete(place)) continue;',
  },
  {
    name: 'stop that forgets what it has sent',
    file: `${TASK}/intent-marks.ts`,
    from: 'lane.willWrite(ordinal);',
    to: '',
  },
  {
    name: 'doubtful window forgotten by a restart',
    file: `${TASK}/shard-lane.ts`,
    from: 'this.#doubtfulUntil = doubtfulUntil;',
    to: 'this.#doubtfulUntil = 0n;',
  },
  {
    name: 'repetition that does not wait for a late write',
    file: `${TASK}/collection-writer.ts`,
    from: 'if (isOpen) await lease.whenLanded(deadlineMs, ended);',
    to: '',
  },
  {
    name: 'restart that does not wait for a late write',
    file: `${TASK}/write-lease.ts`,
    from: 'if (untilMs > 0) await this.whenLanded(untilMs, signal);',
    to: '',
  },
  {
    name: 'budget without a reserve for the one furthest behind',
    file: 'electron/engine/runtime/read-budget.ts',
    from: 'furthestBehind?.admit({ bytesMax: 1, outlineOnly: true });',
    to: '',
  },
  {
    name: 'deletes after inserts of one timestamp',
    file: `${TASK}/write-plan.ts`,
    from: "if (deletes.length === 0) return inserts.map((record) => ({ kind: 'insert', record }));",
    to: "return [...inserts.map((record) => ({ kind: 'insert', record })), ...deletes.map((record) => ({ kind: 'delete', record, keys: record.keys }))];",
  },
  {
    name: 'insert repeated after an unknown outcome',
    file: `${TASK}/collection-writer.ts`,
    from: 'isKeyed ||= mayBeThere;',
    to: '',
  },
  {
    name: 'drop by name instead of identity',
    file: `${TASK}/target-copy.ts`,
    from: 'if (found !== undefined && found.id === this.#targetId) {',
    to: 'if (found !== undefined) {',
    suites: ['planted/foreign-name.test.ts'],
  },
  {
    name: 'operation repeated after a restart',
    file: `${TASK}/collection-operations.ts`,
    from: 'if (ordinal <= this.#until) return;',
    to: '',
    suites: ['operations.test.ts'],
  },
  {
    name: 'change-over before the reader is level',
    file: `${TASK}/catch-up.ts`,
    from: 'if (done.signal.aborted || !side.isLevelWith(main)) return;',
    to: 'if (done.signal.aborted) return;',
  },
  {
    name: 'dropped partition not stored',
    file: `${TASK}/target-copy.ts`,
    from: '  store.addDroppedPartition(this.#stored.id, id);',
    to: '',
    suites: ['planted/dropped-partition.test.ts'],
  },
  {
    name: 'keys above the range deleted',
    file: `${TASK}/collection-copy.ts`,
    from: 'const range = { after, upTo: lastKey };',
    to: 'const range = { after, upTo: undefined };',
    suites: ['recopy.test.ts'],
  },
  {
    name: 'range of a page that begins with its own first key',
    file: `${TASK}/collection-copy.ts`,
    from: 'const range = { after, upTo: lastKey };',
    to: 'const range = { after: firstKeyOf(page), upTo: lastKey };',
    suites: ['recopy.test.ts'],
  },
  {
    name: 'copy onto a filled one that inserts',
    file: `${TASK}/collection-copy.ts`,
    from: 'const isDoubtful = isFilled || (',
    to: 'const isDoubtful = (',
    suites: ['recopy.test.ts'],
  },
  {
    name: 'keys that the source no longer has kept',
    file: `${TASK}/recopy-target.ts`,
    from: 'if (others.values.length > 0) await writer.deleteKeys(partition, others);',
    to: '',
    suites: ['recopy.test.ts'],
  },
  {
    name: 'keys behind the last page kept',
    file: `${TASK}/collection-copy.ts`,
    from: 'const deleted = (await deleteOthers?.(partition, { after, upTo: undefined }, undefined)) ?? 0;',
    to: 'const deleted = 0;',
    suites: ['recopy.test.ts'],
  },
  {
    name: 'partitions that the source no longer has kept',
    file: `${TASK}/target-copy.ts`,
    from: 'if (keep.has(name)) continue;',
    to: 'continue;',
    suites: ['recopy.test.ts'],
  },
  {
    name: 'stamp ignored',
    file: `${TASK}/reconciler/reconciler.ts`,
    from: "if (verdict === 'due' && !this.#closing.has(seen.object))",
    to: 'if (!this.#closing.has(seen.object))',
    suites: ['reconciler.test.ts'],
  },
  {
    name: 'empty listing taken as drop',
    file: `${TASK}/reconciler/ends.ts`,
    from: 'if (!ended.collections.has(replica.id)) return undefined;',
    to: '',
    suites: ['reconciler.test.ts'],
  },
  {
    name: 'two executors for one object',
    file: `${TASK}/collection-operations.ts`,
    from: 'if (!this.#context.isEnding()) await body();\n    })();',
    to: '})(); await body();',
    suites: ['reconciler.test.ts'],
  },
  {
    name: 'import seen but not copied again',
    file: `${TASK}/imports.ts`,
    from: 'await recopy(replica.id);',
    to: 'this.#know({ id: one.id, collectionId: replica.id, isLeftOut: false });',
    suites: ['imports.test.ts'],
  },
  {
    name: 'import known before a copy of it has begun',
    file: `${TASK}/imports.ts`,
    from: 'await recopy(replica.id);',
    to: 'this.#context.store.addImport({ id: one.id, collectionId: replica.id, isLeftOut: false }); await recopy(replica.id);',
    suites: ['imports.test.ts'],
  },
  {
    name: 'import behind S taken as read',
    file: `${TASK}/copy-runner.ts`,
    from: 'await source.whenImportsShown(isCovered);',
    to: 'for (const { id } of await source.completedImports()) if (!isCovered(id)) this.#context.covers(replica, [], () => store.addImport({ id, collectionId: replica.id, isLeftOut: false })); await source.whenImportsShown(() => true);',
    suites: ['imports.test.ts'],
  },
  {
    name: 'copy that does not wait for the import to be shown',
    file: `${TASK}/copy-source.ts`,
    from: 'await rows.whenShown({ ...address, partitions, segments }, signal);',
    to: '',
    suites: ['imports.test.ts'],
  },
  {
    name: 'rows written before their field is there',
    file: `${TASK}/entry-applier.ts`,
    from: "if (record.kind === 'insert') await this.#context.whenHasFields(lane, record);",
    to: '',
    suites: ['fields.test.ts'],
  },
  {
    name: 'copy that does not ask for fields behind S',
    file: `${TASK}/copy-runner.ts`,
    from: 'await orAborted(this.#context.takeFields(replica, shown), replica.signal);',
    to: 'void shown;',
    suites: ['fields.test.ts'],
  },
  {
    name: 'raised limit left to its stamp',
    file: `${TASK}/collection-writer.ts`,
    from: '(await this.#options.schemaRefused?.(sentWith)) === true',
    to: 'sentWith !== this.#schema',
    suites: ['fields.test.ts'],
  },
  {
    name: 'property not known as brought before it is',
    file: `${TASK}/reconciler/reconciler.ts`,
    from: 'replica.propertiesBrought(brought.before);',
    to: '',
    suites: ['properties.test.ts'],
  },
  {
    name: 'collection dropped while its writes can land',
    file: `${TASK}/target-copy.ts`,
    from: 'await this.#context.whenWritesSettled();',
    to: '',
    suites: ['recopy.test.ts'],
  },
  {
    name: 'release after a crash forgotten',
    file: `${TASK}/copy-loads.ts`,
    from: 'return this.#context.cluster.load(address, this.loaded, (part) => this.#note(part), signal);',
    to: 'return this.#context.cluster.load(address, this.loaded, () => undefined, signal);',
    suites: ['copy-loads.test.ts'],
  },
  {
    name: "operations sent under the source's names",
    file: 'electron/engine/target/mapped-target.ts',
    from: 'return withMappedNames(request, (address) => this.#mapped(address));',
    to: 'return request;',
    suites: ['selection.test.ts'],
  },
  {
    name: 'copy of what comes back made as if nothing were there',
    file: `${TASK}/selection-change.ts`,
    from: "copy: 'due', isRecopy: true, phase: 'creating' }",
    to: "copy: 'due', isRecopy: false, phase: 'creating' }",
    suites: ['selection.test.ts'],
  },
  {
    name: 'birth taken up although it is not selected',
    file: `${TASK}/collection-births.ts`,
    from: 'if (!selection.takesUp(born) && !selection.takesUp(found)) return undefined;',
    to: '',
    suites: ['selection.test.ts'],
  },
  {
    name: 'copy of another task taken for its own',
    file: `${TASK}/target-copy.ts`,
    from: '(owner === undefined || own === undefined || owner === own)',
    to: 'true',
    suites: ['selection.test.ts'],
  },
];
