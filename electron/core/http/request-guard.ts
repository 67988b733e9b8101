/**
 * Whom a request may be addressed to, and which page it may come from.
 *
 * A page of another site can make a browser call us under a name of its own that it has pointed at 127.0.0.1 (DNS
 * rebinding); the Host header then carries that name, so only names that are ours are served. And a page that calls us
 * under our own name tells its origin, which must be ours as well.
 */
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { Refusal } from '../services/refusal.ts';

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]']);

export function isLoopback(host: string): boolean {
  return LOOPBACK.has(host) || host === '::1';
}

export interface GuardOptions {
  /** The interface that is listened on. */
  readonly host: string;
  readonly port: number;
}

/** @throws Refusal forbidden. */
export function assertOurs(
  headers: { readonly host?: string | undefined; readonly origin?: string | undefined },
  options: GuardOptions,
): void {
  const { host, origin } = headers;
  if (host === undefined || !isOurHost(host, options)) {
    throw new Refusal(
      'forbidden',
      'The request is addressed to a name that is not served here.',
      `Use the address that Lifeline printed at its start, such as http://127.0.0.1:${options.port}/.`,
    );
  }
  if (origin !== undefined && origin !== `http://${host}`) {
    throw new Refusal(
      'forbidden',
      'The request comes from a page of another site.',
      'Use the window that Lifeline serves itself.',
    );
  }
}

function isOurHost(header: string, { host, port }: GuardOptions): boolean {
  const match = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::(\d+))?$/i.exec(header.toLowerCase());
  if (match === null) return false;
  const [, name = '', givenPort = '80'] = match;
  if (Number(givenPort) !== port) return false;
  if (LOOPBACK.has(name)) return true;
  if (isLoopback(host)) return false;
  // Where others may come in: any address of this machine, which no foreign page can make its own name, and its name.
  return isIP(name.replace(/^\[|\]$/g, '')) !== 0 || name === hostname().toLowerCase() || name === host.toLowerCase();
}
