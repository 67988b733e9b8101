import { describe, expect, it } from 'vitest';
import { parseShellToCore } from '../../../shared/contract/desktop.ts';
import { procedures } from '../../../shared/contract/procedures.ts';
import { readCall } from '../../../shared/contract/read-call.ts';
import { errorDataSchema } from '../../../shared/model/error-data.ts';
import { ERROR_CODES, ReplicationError } from '../../../shared/model/replication-error.ts';

describe('a call that is read', () => {
  it('has its defaults filled in', () => {
    const call = readCall('drill.start', {});
    expect(call).toEqual({ ok: true, name: 'drill.start', input: { wal: 'nats', rows: 20_000, seconds: 20 } });
  });

  it.each(['no.such', 'toString', '__proto__', '', undefined, 7, {}])('is refused under the name %s', (name) => {
    expect(readCall(name, {})).toMatchObject({ ok: false, error: { code: 'unknownProcedure', side: 'config' } });
  });

  it.each([
    ['tasks.pause', { id: '../x' }, 'id'],
    ['connections.save', { name: ' ' }, 'name'],
    ['connections.save', { name: 'a', milvus: { address: '' } }, 'milvus.address'],
    ['connections.save', { name: 'a', wal: { kind: 'nats', servers: ['a', 'b@c'] } }, 'wal.servers[1]'],
    ['connections.save', { name: 'a', wal: { kind: 'abacus' } }, 'wal.kind'],
    ['connections.test', { name: 'a', testId: 'A B' }, 'testId'],
    ['tasks.list', [], ''],
  ])('of %s says in `context.field` where it does not fit', (name, input, field) => {
    const call = readCall(name, input);
    if (call.ok) throw new Error('It was taken.');
    expect(call.error).toMatchObject({ code: 'invalidInput', context: { field } });
    expect(call.error.message).toContain(field === '' ? 'The input' : `"${field}"`);
  });

  it('never says the value that does not fit', () => {
    const call = readCall('connections.save', { name: 'a', milvus: { address: 'root:hunter2@b:1', pass: 'hunter2' } });
    expect(JSON.stringify(call)).not.toContain('hunter2');
  });

  it('is read for every procedure without throwing, whatever comes', () => {
    for (const name of Object.keys(procedures)) {
      for (const input of [undefined, null, 0, 'x', [], { a: 1 }, { id: {} }])
        expect(() => readCall(name, input)).not.toThrow();
    }
  });
});

describe('an error as data', () => {
  it('keeps the field that is wrong, and no field that is no path', () => {
    const error = new ReplicationError('invalidConfig', 'config', 'No.', {
      context: { field: 'wal.servers', count: 3 },
    });
    expect(errorDataSchema.parse(error.toData()).context).toEqual({ field: 'wal.servers', count: 3 });
    expect(errorDataSchema.safeParse({ ...error.toData(), context: { field: 3 } }).success).toBe(false);
    expect(errorDataSchema.safeParse({ ...error.toData(), context: { nested: {} } }).success).toBe(false);
  });

  it('comes back as it was', () => {
    for (const code of ERROR_CODES) {
      const error = new ReplicationError(code, 'wal', 'No.', { cause: new Error('why'), context: { channel: 'a' } });
      expect(ReplicationError.fromData(error.toData()).toData()).toEqual(error.toData());
    }
  });

  it('of a code or side that this version does not know is unknown, with its sentence kept', () => {
    const data = { code: 'fromTheFuture', side: 'moon', message: 'It broke.', context: {}, causes: [] };
    expect(ReplicationError.fromData(data)).toMatchObject({ code: 'unknown', side: 'internal', message: 'It broke.' });
  });
});

describe('a message of the shell', () => {
  it('is taken when it is one', () => {
    const call = { kind: 'call', id: 1, name: 'tasks.list', input: {} };
    for (const message of [{ kind: 'start' }, { kind: 'start', dataKey: 'a' }, call, { kind: 'stop' }]) {
      expect(parseShellToCore(message)).toEqual(message);
    }
  });

  it('is dropped when it is none', () => {
    for (const message of [undefined, null, 'stop', {}, { kind: 'explode' }, { kind: 'call', id: 'x', name: 'a' }]) {
      expect(parseShellToCore(message)).toBeUndefined();
    }
  });
});
