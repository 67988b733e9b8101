/** A NATS server of Debian's, with JetStream and whatever security a test asks for; Milvus' own, inside, has none. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePorts } from '../../../electron/core/lab/ports.ts';
import { ServerProcess } from '../../../electron/core/lab/server-process.ts';
import { installDebianPackages, isRunnable } from '../../support/system-packages.ts';

const START_MS = 15_000;
const STOP_MS = 5_000;
const ASK_INTERVAL_MS = 50;
/** Debian puts it where only root looks. */
const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin`;

/** Why there can be none on this machine; `undefined` where there can. */
export async function natsServerMissing(): Promise<string | undefined> {
  if (await isRunnable('nats-server', ['--version'], { PATH })) return undefined;
  return installDebianPackages(['nats-server']).then(
    () => undefined,
    (error: unknown) => (error as Error).message,
  );
}

export class NatsServer {
  readonly #process: ServerProcess;
  readonly #directory: string;
  /** `host:port`. */
  readonly address: string;

  private constructor(process: ServerProcess, directory: string, port: number) {
    this.#process = process;
    this.#directory = directory;
    this.address = `127.0.0.1:${port}`;
  }

  /** @param settings In the server's own form, besides address and JetStream. */
  static async start(settings: string): Promise<NatsServer> {
    const directory = await mkdtemp(join(tmpdir(), 'lifeline-nats-'));
    const [port = 0] = await freePorts(1);
    const file = join(directory, 'nats.conf');
    const store = JSON.stringify(join(directory, 'store'));
    await writeFile(file, `listen: "127.0.0.1:${port}"\njetstream { store_dir: ${store} }\n${settings}\n`, {
      mode: 0o600,
    });
    const server = await ServerProcess.spawn({
      command: 'nats-server',
      args: ['-c', file],
      directory,
      logDirectory: join(directory, 'logs'),
      env: { PATH },
    });
    const nats = new NatsServer(server, directory, port);
    process.on('exit', nats.#onExit);
    const start = AbortSignal.any([server.untilExit(), AbortSignal.timeout(START_MS)]);
    while (!(await isListening(port))) {
      if (start.aborted) throw new Error(`The NATS server did not start (${server.end}); see ${directory}/logs.`);
      await delay(ASK_INTERVAL_MS);
    }
    return nats;
  }

  async stop(): Promise<void> {
    await this.#process.stop(STOP_MS);
    process.off('exit', this.#onExit);
    await rm(this.#directory, { recursive: true, force: true });
  }

  readonly #onExit = (): void => this.#process.killSync();
}

const isListening = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (isUp: boolean): void => {
      socket.destroy();
      resolve(isUp);
    };
    socket.on('connect', () => end(true)).on('error', () => end(false));
  });
