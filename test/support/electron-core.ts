/**
 * A core that keeps no data: it answers as the protocol says, so that the shell can be tried alone. Started by the shell
 * in place of the real one. Clusters are kept in one file of the data folder.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CoreToShell, ShellToCore } from '../../shared/contract/desktop.ts';

const file = join(process.env['LIFELINE_DATA_DIR'] ?? '.', 'clusters.json');
const names = (): string[] => (existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as string[]) : []);

const send = (message: CoreToShell): void => void process.send?.(message);

process.on('message', (message: ShellToCore) => {
  switch (message.kind) {
    case 'start':
      if (process.env['FAKE_CORE_FAILS'] !== undefined) {
        const message = process.env['FAKE_CORE_FAILS'];
        send({
          kind: 'failed',
          error: { code: 'storeFailed', side: 'store', message, context: {}, causes: [], hint: '' },
        });
        process.exit(1);
      }
      send({ kind: 'started' });
      return;
    case 'call': {
      const { id, name, input } = message;
      if (name === 'connections.save') {
        writeFileSync(file, JSON.stringify([...names(), (input as { name: string }).name]));
        send({ kind: 'event', name: 'connections.changed', payload: { connections: names() } });
        send({ kind: 'answer', id, answer: { ok: true, output: { connection: { name: names().at(-1) } } } });
      } else if (name === 'connections.list') {
        send({ kind: 'answer', id, answer: { ok: true, output: { connections: names() } } });
      } else if (name === 'system.info') {
        send({
          kind: 'answer',
          id,
          answer: { ok: true, output: { node: process.version, platform: `${process.pid}` } },
        });
      }
      // Whatever else is asked stays without an answer.
      return;
    }
    case 'stop':
      writeFileSync(join(process.env['LIFELINE_DATA_DIR'] ?? '.', 'stopped-in-order'), '');
      process.disconnect();
  }
});
