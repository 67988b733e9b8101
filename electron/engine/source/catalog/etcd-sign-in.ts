/**
 * Signing in at etcd, instead of etcd3's own way: that dials without the channel's options, so that the server name of the
 * TLS settings does not count for it, and it never closes what it dialled (etcd3 1.1.2, lib/connection-pool.js).
 *
 * The token goes with every call. It ends with its time (etcd's --auth-token-ttl, five minutes without use), with
 * a restart of etcd and with every change of users there; the call that learns so signs in again and is repeated once.
 */
import { InterceptingCall, type Interceptor } from '@grpc/grpc-js';
import type { Etcd3 } from 'etcd3';

/** As etcd 3.5 says that a token counts no longer (api/v3rpc/rpctypes/error.go). */
const TOKEN_ENDED = /invalid auth token|revision of auth store is old/;

interface EtcdUser {
  readonly username: string;
  readonly password: string;
}

export class EtcdSignIn {
  readonly #user: EtcdUser | undefined;
  #token: string | undefined;
  #signingIn: Promise<void> | undefined;

  /** Without a user nothing is added to any call. */
  constructor(user: EtcdUser | undefined) {
    this.#user = user;
  }

  /** For the options of the client's channels. */
  readonly interceptor: Interceptor = (options, nextCall) => {
    const token = this.#token;
    return new InterceptingCall(nextCall(options), {
      start: (metadata, _listener, next) => {
        if (token !== undefined) metadata.set('token', token);
        next(metadata, {
          onReceiveStatus: (status, done) => {
            // At once, since etcd3 itself repeats such a call until it is no longer refused in this way.
            if (this.#token === token && TOKEN_ENDED.test(status.details)) this.#token = undefined;
            done(status);
          },
        });
      },
    });
  };

  /** Runs the call signed in. @throws what etcd3 throws. */
  async run<T>(client: Etcd3, call: () => Promise<T>): Promise<T> {
    const user = this.#user;
    if (user === undefined) return call();
    await this.#ensure(client, user);
    try {
      return await call();
    } catch (error) {
      if (this.#token !== undefined) throw error;
      await this.#ensure(client, user);
      return call();
    }
  }

  async #ensure(client: Etcd3, { username, password }: EtcdUser): Promise<void> {
    if (this.#token !== undefined) return;
    this.#signingIn ??= client.auth
      .authenticate({ name: username, password })
      .then(({ token }) => {
        this.#token = token;
      })
      .finally(() => (this.#signingIn = undefined));
    await this.#signingIn;
  }
}
