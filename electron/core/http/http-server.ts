/**
 * The contract over HTTP, and the window for browsers.
 *
 *     POST /api/<procedure>   JSON in, JSON out; an error is JSON too, with a fitting status
 *     GET  /api/events        server-sent events
 *     POST /api/sign-in       { code } → { csrf } and the session's cookie
 *     GET  /api/session       { csrf } for a page that was loaded again
 *     POST /api/sign-out      ends the session's streams of events, too
 *     POST /api/sign-in-link  { link }: another one-time link, for programs
 *     GET  /healthz
 */
import cookie from '@fastify/cookie';
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type onRequestHookHandler,
} from 'fastify';
import { CSRF_HEADER } from '../../../shared/contract/http-client.ts';
import type { ContractErrorData } from '../../../shared/contract/procedures.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { Logger } from '../../engine/runtime/logger.ts';
import { toErrorData, type Dispatch } from '../services/contract.ts';
import type { EventHub } from '../services/event-hub.ts';
import { Refusal } from '../services/refusal.ts';
import { isSameSecret, type Access, type BrowserSession } from './access.ts';
import { streamEvents } from './event-stream-route.ts';
import { assertOurs, type GuardOptions } from './request-guard.ts';
import { SECURITY_HEADERS } from './security-headers.ts';
import { serveWindow } from './window-files.ts';

/** A connection with its certificates has some 20 kB. */
const BODY_BYTES_MAX = 1024 * 1024;

export interface HttpServerOptions {
  /** The interface to listen on. */
  readonly host: string;
  readonly port: number;
  readonly dispatch: Dispatch;
  readonly hub: EventHub;
  readonly access: Access;
  readonly logger: Logger;
  /** The built window; where it is missing a page says so. */
  readonly windowDirectory: string;
}

export interface HttpServer {
  readonly port: number;
  /** Without a slash at its end. */
  readonly origin: string;
  newSignInLink(): string;
  /** Ends open streams too. May be called twice. */
  close(): Promise<void>;
}

/** @throws unreachable: the port is taken or the interface is not this machine's. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { host, port, access } = options;
  const guard: GuardOptions = { host, port };
  const shownHost = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
  const origin = `http://${shownHost}:${port}`;
  const newSignInLink = (): string => `${origin}/#/sign-in?code=${access.newSignInCode()}`;
  const app = fastify({ bodyLimit: BODY_BYTES_MAX, logger: false, forceCloseConnections: true });
  app.removeContentTypeParser('text/plain');
  await app.register(cookie);
  app.addHook(
    'onRequest',
    checking((request, reply) => {
      reply.headers(SECURITY_HEADERS);
      assertOurs(request.headers, guard);
    }),
  );
  app.setErrorHandler((error, _request, reply) => sendError(reply, fromFastify(error), options.logger));
  app.setNotFoundHandler(() => {
    throw new Refusal('notFound', 'There is nothing at this address.', 'The window is at /.');
  });
  app.get('/healthz', () => ({ status: 'ok' }));
  await app.register(
    (api, _options, done) => {
      addRoutes(api, options, newSignInLink);
      done();
    },
    { prefix: '/api' },
  );
  await serveWindow(app, options.windowDirectory);
  try {
    await app.listen({ host, port });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const cause = code === 'EADDRINUSE' ? 'the port is taken' : message;
    throw new ReplicationError(
      'unreachable',
      'config',
      `Lifeline cannot listen on ${host} port ${port}: ${cause}. Name another with --port, or leave it out.`,
      { cause: error },
    );
  }
  return { port, origin, newSignInLink, close: () => app.close() };
}

function addRoutes(api: FastifyInstance, options: HttpServerOptions, newLink: () => string): void {
  const { access, dispatch, hub, logger } = options;
  const cookieName = `lifeline-${options.port}`;
  const sessionOf = (request: FastifyRequest) => {
    const id = request.cookies[cookieName];
    return id === undefined ? undefined : access.session(id);
  };
  /** A window that only looks on uses its session, too; where that has ended its stream ends with it. */
  const keepAlive = (id: string): void => {
    try {
      access.session(id);
    } catch (error) {
      logger.warn({ err: error }, 'Whether a session goes on could not be read.');
    }
  };
  const isOpen = (request: FastifyRequest): boolean => request.routeOptions.url === '/api/sign-in';

  api.addHook(
    'onRequest',
    checking((request) => {
      if (!isOpen(request)) assertSignedIn(request, access, sessionOf(request));
    }),
  );

  api.post('/sign-in', (request, reply) => {
    const { body } = request;
    const code = typeof body === 'object' && body !== null && 'code' in body ? body.code : undefined;
    const session = typeof code === 'string' ? access.signIn(code) : undefined;
    if (session === undefined) throw unauthenticated('The sign-in link was used already, or it has expired.');
    reply.setCookie(cookieName, session.id, { path: '/', httpOnly: true, sameSite: 'strict' });
    return { csrf: session.csrf };
  });
  api.get('/session', (request) => {
    const session = sessionOf(request);
    if (session === undefined) throw unauthenticated('A token has no session.');
    return { csrf: session.csrf };
  });
  api.post('/sign-out', (request, reply) => {
    const id = request.cookies[cookieName];
    if (id !== undefined) access.signOut(id);
    reply.clearCookie(cookieName, { path: '/' });
    return {};
  });
  api.post('/sign-in-link', () => ({ link: newLink() }));
  api.get('/events', (request, reply) => {
    const last = request.headers['last-event-id'];
    const id = request.headers.authorization === undefined ? request.cookies[cookieName] : undefined;
    reply.hijack();
    const stream = streamEvents(hub, reply.raw, typeof last === 'string' ? last : undefined, () => {
      if (id !== undefined) keepAlive(id);
    });
    if (id !== undefined)
      reply.raw.once(
        'close',
        access.onEnd(id, () => stream.end()),
      );
  });
  api.post<{ Params: { procedure: string } }>('/:procedure', async (request, reply) => {
    const answer = await dispatch(request.params.procedure, request.body ?? {});
    if (answer.ok) return answer.output;
    return reply.code(statusOf(answer.error)).send(answer.error);
  });
  api.all('/*', () => {
    throw new Refusal('unknownProcedure', 'There is nothing at this address.', 'Calls are POST /api/<procedure>.');
  });
}

/** By the token, or by a session with its proof. */
function assertSignedIn(request: FastifyRequest, access: Access, session: BrowserSession | undefined): void {
  const { authorization } = request.headers;
  if (authorization !== undefined) {
    const [scheme, token] = authorization.split(' ');
    if (scheme?.toLowerCase() === 'bearer' && token !== undefined && access.isToken(token)) return;
    throw unauthenticated('The token is not the one of this data folder.');
  }
  if (session === undefined) throw unauthenticated('Nobody is signed in here, or the session has ended.');
  if (request.method === 'GET') return;
  const csrf = request.headers[CSRF_HEADER];
  if (typeof csrf === 'string' && isSameSecret(csrf, session.csrf)) return;
  throw new Refusal(
    'forbidden',
    'The call does not prove that it comes from the window.',
    `Load the page again. A program uses the token, or sends the header ${CSRF_HEADER}.`,
  );
}

function unauthenticated(message: string): Refusal {
  return new Refusal(
    'unauthenticated',
    message,
    'Open a new sign-in link: Lifeline prints one at each start, and `npm start -- sign-in` prints another.',
  );
}

/** A hook that lets the request pass or throws. */
function checking(check: (request: FastifyRequest, reply: FastifyReply) => void): onRequestHookHandler {
  return (request, reply, done) => {
    try {
      check(request, reply);
      done();
    } catch (error) {
      done(error as Error);
    }
  };
}

function sendError(reply: FastifyReply, error: unknown, logger: Logger): FastifyReply {
  const data = toErrorData(error, 'http', logger);
  return reply.code(statusOf(data)).send(data);
}

/** Fastify's own refusals of a body are the caller's fault; their messages hold nothing of the body. */
function fromFastify(error: unknown): unknown {
  const { statusCode, code } = error as { statusCode?: number; code?: string };
  if (statusCode === undefined || statusCode < 400 || statusCode >= 500) return error;
  const message =
    code === 'FST_ERR_CTP_BODY_TOO_LARGE'
      ? `The body is larger than ${BODY_BYTES_MAX} bytes.`
      : code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE'
        ? 'The body is not declared as JSON.'
        : 'The body is no valid JSON.';
  return new Refusal('invalidInput', message, 'Send JSON with the content type application/json.');
}

const STATUS: Readonly<Record<string, number>> = {
  invalidInput: 400,
  invalidConfig: 400,
  unauthenticated: 401,
  forbidden: 403,
  notFound: 404,
  unknownProcedure: 404,
  conflict: 409,
  alreadyExists: 409,
  unreachable: 502,
  timeout: 504,
};

/** Only refusals of ours speak of the caller's sign-in; a cluster that refuses us is another matter. */
function statusOf({ code, side }: ContractErrorData): number {
  if (side !== 'config' && (code === 'unauthenticated' || code === 'notFound')) return 502;
  return STATUS[code] ?? 500;
}
