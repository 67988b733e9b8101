/**
 * A Milvus whose proxy wants TLS, with an etcd inside that listens with TLS besides: started by hand, since the lab's own
 * servers are asked for their health without.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  GLOG_CONF,
  PORT_NAMES,
  renderEtcdYaml,
  renderMilvusYaml,
  renderYaml,
} from '../../../electron/core/lab/instance-config.ts';
import type { InstanceConfig, InstancePorts } from '../../../electron/core/lab/instance-config.ts';
import { freePorts } from '../../../electron/core/lab/ports.ts';
import { ensureServerPackage } from '../../../electron/core/lab/server-package.ts';
import { ServerProcess } from '../../../electron/core/lab/server-process.ts';
import { removeServerTraces } from '../../../electron/core/lab/server-traces.ts';
import type { KeyPair } from './certificates.ts';

const START_MS = 60_000;
const STOP_MS = 5_000;
const ASK_INTERVAL_MS = 100;

export interface SecuredMilvusOptions {
  readonly server: KeyPair;
  readonly caFile: string;
  /** Whether proxy and etcd want a certificate of the client (`common.security.tlsMode` 2). */
  readonly isMutual: boolean;
  /** Serves as root path and as prefix of the channels. */
  readonly clusterName: string;
}

export class SecuredMilvus {
  readonly #process: ServerProcess;
  readonly #directory: string;
  readonly #alias: string;
  readonly clusterName: string;
  /** Of `root`, with which every Milvus 2.3 begins. */
  readonly password = 'Milvus';
  /** `host:port` of the proxy. */
  readonly address: string;
  /** `host:port` where etcd wants TLS. */
  readonly etcd: string;
  /** `host:port` where etcd wants none. */
  readonly plainEtcd: string;

  private constructor(
    process: ServerProcess,
    alias: string,
    { directory, clusterName, ports }: InstanceConfig,
    etcdTls: number,
  ) {
    this.#process = process;
    this.#directory = directory;
    this.#alias = alias;
    this.clusterName = clusterName;
    this.address = `127.0.0.1:${ports.proxy}`;
    this.etcd = `127.0.0.1:${etcdTls}`;
    this.plainEtcd = `127.0.0.1:${ports.etcdClient}`;
  }

  static async start({ server, caFile, isMutual, clusterName }: SecuredMilvusOptions): Promise<SecuredMilvus> {
    const { binDirectory } = await ensureServerPackage();
    const directory = await mkdtemp(join(tmpdir(), 'lifeline-secured-milvus-'));
    const numbers = await freePorts(PORT_NAMES.length + 1);
    const ports = Object.fromEntries(PORT_NAMES.map((name, at) => [name, numbers[at]])) as unknown as InstancePorts;
    const etcdTls = numbers.at(-1) ?? 0;
    const config: InstanceConfig = {
      directory,
      ports,
      clusterName,
      isDurable: false,
      settings: {
        'common.security.tlsMode': isMutual ? 2 : 1,
        'tls.serverPemPath': server.certFile,
        'tls.serverKeyPath': server.keyFile,
        'tls.caPemPath': caFile,
      },
    };
    const configs = join(directory, 'configs');
    const logDirectory = join(directory, 'logs');
    for (const folder of [configs, logDirectory]) await mkdir(folder, { recursive: true });
    await writeFile(join(configs, 'milvus.yaml'), renderMilvusYaml(config));
    const plain = `http://127.0.0.1:${ports.etcdClient}`;
    await writeFile(
      join(configs, 'etcd.yaml'),
      renderEtcdYaml(config).replace(
        /^listen-client-urls: .*$/m,
        `listen-client-urls: "${plain},https://127.0.0.1:${etcdTls}"`,
      ) +
        renderYaml({
          'client-transport-security.cert-file': server.certFile,
          'client-transport-security.key-file': server.keyFile,
          // With an authority etcd wants a certificate of the client, even where that is not asked for.
          ...(isMutual
            ? {
                'client-transport-security.trusted-ca-file': caFile,
                // Which makes the name in the certificate a user.
                'client-transport-security.client-cert-auth': true,
              }
            : {}),
        }),
    );
    await writeFile(join(configs, 'glog.conf'), GLOG_CONF);
    const alias = `lifeline-${randomBytes(6).toString('hex')}`;
    const process = await ServerProcess.spawn({
      command: join(binDirectory, 'milvus'),
      args: ['run', 'standalone', `-alias=${alias}`],
      directory,
      logDirectory,
      env: {
        PATH: globalThis.process.env['PATH'],
        HOME: globalThis.process.env['HOME'],
        DEPLOY_MODE: 'STANDALONE',
        METRICS_PORT: String(ports.metrics),
        MILVUSCONF: `${configs}/`,
        LD_LIBRARY_PATH: binDirectory,
      },
    });
    const milvus = new SecuredMilvus(process, alias, config, etcdTls);
    globalThis.process.on('exit', milvus.#onExit);
    const start = AbortSignal.any([process.untilExit(), AbortSignal.timeout(START_MS)]);
    while (!(await isHealthy(ports.metrics))) {
      if (start.aborted) throw new Error(`Milvus did not start (${process.end}); see ${logDirectory}.`);
      await delay(ASK_INTERVAL_MS);
    }
    return milvus;
  }

  async stop(): Promise<void> {
    await this.#process.stop(STOP_MS);
    globalThis.process.off('exit', this.#onExit);
    removeServerTraces(this.#alias);
    await rm(this.#directory, { recursive: true, force: true });
  }

  readonly #onExit = (): void => this.#process.killSync();
}

const isHealthy = (metricsPort: number): Promise<boolean> =>
  fetch(`http://127.0.0.1:${metricsPort}/healthz`).then(
    async (answer) => (await answer.text()) === 'OK',
    () => false,
  );
