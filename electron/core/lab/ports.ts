/** Free TCP ports, asked from the system. */
import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { ReplicationError } from '../../../shared/model/replication-error.ts';

/**
 * Lowest port tried. The upper end is where the system begins to hand out ports for outgoing connections: a server
 * that is killed and started again on its ports must not find that some client has been given one of them meanwhile,
 * nor may a client that keeps reconnecting be given that very port and so connect to itself.
 */
const PORT_MIN = 15_000;
/** Where Linux begins with outgoing connections unless it was told otherwise. */
const EPHEMERAL_PORT_DEFAULT = 32_768;
/** Fewer ports than this between the two ends are too few to find a dozen free ones by lot. */
const PORT_RANGE_MIN = 1_000;
/** Ports tried for each one wanted: only a machine with nearly all of them taken gets here. */
const TRIES_PER_PORT = 50;

/** Whether nobody listens on the port on any interface. Port 0 stands for any; the one that was given is returned. */
function tryListen(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(undefined);
      else reject(error);
    });
    // Without a host the wildcard address is taken, which conflicts with a listener on any single one.
    server.listen({ port, exclusive: true }, () => {
      const address = server.address();
      const given = typeof address === 'object' && address !== null ? address.port : port;
      server.close(() => resolve(given));
    });
  });
}

export async function isPortFree(port: number): Promise<boolean> {
  return (await tryListen(port)) !== undefined;
}

async function ephemeralPortMin(): Promise<number> {
  try {
    const range = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
    return Number.parseInt(range, 10) || EPHEMERAL_PORT_DEFAULT;
  } catch {
    // No Linux or no /proc: the usual border serves as well as any.
    return EPHEMERAL_PORT_DEFAULT;
  }
}

/**
 * `count` different ports that were free a moment ago. They are not held: another process may take one before the
 * server does, so whoever starts a server on them must be ready to ask again.
 */
export async function freePorts(count: number): Promise<number[]> {
  const end = await ephemeralPortMin();
  const isRangeUsable = end - PORT_MIN >= PORT_RANGE_MIN;
  const found = new Set<number>();
  for (let tries = 0; found.size < count && tries < count * TRIES_PER_PORT; tries += 1) {
    const candidate = isRangeUsable ? randomInt(PORT_MIN, end) : 0;
    if (found.has(candidate)) continue;
    const port = await tryListen(candidate);
    if (port !== undefined) found.add(port);
  }
  if (found.size < count) {
    throw new ReplicationError(
      'labFailed',
      'lab',
      `The lab found only ${found.size} of the ${count} free TCP ports that it needs. End programs that hold many ports, then try again.`,
    );
  }
  return [...found];
}
