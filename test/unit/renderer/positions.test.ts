import { describe, expect, it } from 'vitest';
import { readPositions } from '../../../renderer/features/protections/positions.ts';

const ENTRY = { collection_id: 7, channel_name: 'dml_0', time: 1, msg_id: 'Cg5ieS1kZXY=' };

describe('positions as they are pasted', () => {
  it('are an object of channels', () => {
    expect(readPositions(' {"dml_0_7v0": "Cg==", "dml_1": "CgsM"} ')).toEqual({
      kind: 'positions',
      positions: { dml_0_7v0: 'Cg==', dml_1: 'CgsM' },
    });
  });

  it('are what milvus-cdc answers, whole or in part', () => {
    const expected = { kind: 'positions', positions: { dml_0: 'Cg5ieS1kZXY=' } };
    for (const pasted of [
      { code: 200, data: { positions: [ENTRY], op_positions: null, target_positions: null } },
      { positions: [ENTRY] },
      [ENTRY],
      { name: 'orders', positions: { dml_0: ENTRY.msg_id } },
    ]) {
      expect(readPositions(JSON.stringify(pasted))).toEqual(expected);
    }
  });

  it.each([
    ['{"dml_0": ', { problem: 'notJson' }],
    ['"dml_0"', { problem: 'noObject' }],
    ['[1]', { problem: 'noObject' }],
    ['[{"channel_name": 1}]', { problem: 'noObject' }],
    ['{}', { problem: 'empty' }],
    ['{"dml_0": "Cg=="  , "dml_1": "%"}', { problem: 'notBase64', channel: 'dml_1' }],
    ['{"dml_0": 12}', { problem: 'notBase64', channel: 'dml_0' }],
    ['{"dml_0": ""}', { problem: 'notBase64', channel: 'dml_0' }],
  ])('say what is wrong with %s', (text, problem) => {
    expect(readPositions(text)).toEqual({ kind: 'problem', ...problem });
  });

  it('are nothing before something is pasted', () => {
    expect(readPositions(' \n')).toEqual({ kind: 'nothing' });
  });
});
