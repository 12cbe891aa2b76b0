/**
 * Requests to an upstream over kept connections.
 *
 * It bounds what the gateway's timers cannot see: the wait for a connection, the size of an answer,
 * and what compressed bytes become. Everything else ends by the signal of the call. The reason of
 * the signal, when it is a SkeinError, is the error of the call.
 *
 * undici's client and not `node:http`: a small request over a kept connection takes a third of the
 * processor time (30 µs instead of 85; Node 24, 4,000 of each in turns, six times), and `fetch`
 * takes more than either. One client holds one connection, so that a request that is left ends its
 * own connection and nothing else.
 */
import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { SkeinError } from '@skein/api/errors';
import { timerMs } from '@skein/api/waits';
import buildConnector from 'undici/lib/core/connect.js';
import Client from 'undici/lib/dispatcher/client.js';
import type { Hold } from '../contract.ts';
import { createIncoming, type Incoming, type UpstreamAnswer } from './incoming.ts';
import { networkError, upstreamError } from './upstream-error.ts';

export interface UpstreamOptions {
  /** Names it in errors. */
  readonly name: string;
  /** Paths are appended. */
  readonly baseUrl: string;
  readonly connectMs: number;
}

export interface UpstreamRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
  /** Takes memory for an answer that is read whole. */
  readonly hold?: Hold | undefined;
}

type OutgoingRequest = Omit<UpstreamRequest, 'body'> & { readonly body?: string | Buffer };

export interface Upstream {
  readonly name: string;
  /** Resolves with the head of the answer, whatever its status. @throws SkeinError PROVIDER_*. */
  send(request: UpstreamRequest): Promise<UpstreamAnswer>;
  /** Calls in flight, and later ones, end with NODE_DRAINING. */
  close(): void;
}

interface Connection {
  readonly client: Client;
  /** Whether an answer came over it before. */
  isReused: boolean;
  /** Whatever it is doing. */
  readonly end: (reason: Error) => void;
}

/** A free connection is closed before servers usually do so (5 s of Node, 60 s of proxies). */
const KEEP_MS = 4000;
/** A free connection is closed this long before the end of the keep-alive that its server announces. */
const KEEP_MARGIN_MS = 1000;
/** A longer body is encoded in a turn of the event loop of its own, in characters. */
const LARGE_BODY = 2 ** 20;

export function openUpstream({ name, baseUrl, connectMs }: UpstreamOptions): Upstream {
  const base = new URL(baseUrl);
  const prefix = base.pathname.replace(/\/$/, '');
  const connector = buildConnector({ timeout: 0, keepAliveInitialDelay: 30_000 });
  const open = new Set<Connection>();
  /** The one that was used last is used first, so that the others can end. */
  const free: Connection[] = [];
  let isClosed = false;
  /** Error of a call that the provider is not to blame for. */
  const closedError = (): SkeinError =>
    new SkeinError('NODE_DRAINING', `The provider ${name} is closed.`);

  function connect(): Connection {
    let connecting: Socket | undefined;
    let timer: NodeJS.Timeout | undefined;
    const client = new Client(base.origin, {
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_MS,
      keepAliveMaxTimeout: KEEP_MS,
      keepAliveTimeoutThreshold: KEEP_MARGIN_MS,
      connect(options, callback) {
        const late = upstreamError('PROVIDER_UNREACHABLE', {
          provider: name,
          message: `no connection in ${connectMs} ms.`,
        });
        timer = setTimeout(() => connecting?.destroy(late), timerMs(connectMs));
        connecting = connector(options, (...result) => {
          clearTimeout(timer);
          callback(...result);
        }) as unknown as Socket;
      },
    });
    const connection: Connection = {
      client,
      isReused: false,
      end(reason) {
        clearTimeout(timer);
        drop();
        client.destroy(reason, () => {});
        connecting?.destroy();
      },
    };
    const drop = (): void => {
      const at = free.indexOf(connection);
      if (at !== -1) free.splice(at, 1);
      open.delete(connection);
    };
    client.on('disconnect', () => {
      // Its client connects again for a request that was sent just then.
      connection.isReused = false;
      if (free.includes(connection)) drop();
    });
    open.add(connection);
    return connection;
  }

  function once({ path, headers, body, signal, hold }: OutgoingRequest): Promise<UpstreamAnswer> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(reasonOf(signal));
      if (isClosed) return reject(closedError());
      const connection = free.pop() ?? connect();
      let incoming: Incoming | undefined;
      const abort = (): void => connection.end(reasonOf(signal));
      signal.addEventListener('abort', abort, { once: true });
      connection.client.dispatch(
        {
          method: body === undefined ? 'GET' : 'POST',
          path: prefix + path,
          headers: {
            ...headers,
            accept: 'text/event-stream, application/json',
            'accept-encoding': 'identity',
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          body: body ?? null,
        },
        {
          onConnect() {},
          onHeaders(status, fields, resume) {
            // Another head follows one that only informs.
            if (status < 200) return true;
            incoming = createIncoming(name, { status, fields, resume, end: connection.end, hold });
            resolve(incoming.answer);
            return true;
          },
          onData: (piece) => incoming!.push(piece),
          onComplete() {
            signal.removeEventListener('abort', abort);
            connection.isReused = true;
            // Its reader may have ended it with the last piece.
            if (open.has(connection)) free.push(connection);
            incoming!.end();
          },
          onError(error) {
            signal.removeEventListener('abort', abort);
            const isStale = connection.isReused && isCut(error);
            connection.end(error);
            if (incoming !== undefined) return incoming.end(networkError(name, error, true));
            reject(Object.assign(networkError(name, error, false), { isStale }));
          },
        },
      );
    });
  }

  return {
    name,
    async send(request) {
      const { body } = request;
      const isLarge = body !== undefined && body.length > LARGE_BODY;
      if (isLarge) await turn();
      const outgoing = isLarge ? { ...request, body: Buffer.from(body) } : request;
      if (isLarge) await turn();
      for (;;) {
        try {
          return await once(outgoing);
        } catch (error) {
          // Most likely the upstream closed the kept connection while it was idle, and has not read
          // the request. That cannot be known: one that it did read is generated, and billed, twice.
          // A connection that is opened for the request is never stale, so that this ends.
          if ((error as { isStale?: boolean }).isStale !== true) throw error;
        }
      }
    },
    close() {
      isClosed = true;
      for (const connection of open) connection.end(closedError());
    },
  };
}

function isCut({ code }: NodeJS.ErrnoException): boolean {
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
}

/** The error of a call whose signal is aborted. */
export function reasonOf(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  return reason instanceof Error ? reason : new Error('aborted');
}
