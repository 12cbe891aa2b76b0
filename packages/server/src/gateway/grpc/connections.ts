/**
 * Bounds what a connection may do before and without a call: the number of connections, the time
 * until a connection speaks HTTP/2, and the rate of frames that only cost the server time.
 *
 * A connection that never carried a valid key is unauthenticated. A new one closes
 * the oldest of them at the bound, so that a flood displaces only itself.
 */
import {
  constants as http2,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
  type Settings,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { Server } from '@grpc/grpc-js';
import type { SharedBudget } from '@skein/api/shared-budget';
import { PeerTimeouts } from '@skein/http';
import { boundTimeout } from './call-timeout.ts';
import type { GrpcLimits } from './limits.ts';
import { PacedStrangers, refuseStream } from './paced-strangers.ts';

/** PING and SETTINGS frames of one connection in a window; a client that measures its bandwidth sends hundreds. */
const CONTROL_FRAMES = 5000;
const CONTROL_WINDOW_MS = 1000;
/**
 * RST_STREAM frames that may arrive at once, and per second; each cancels a call. A single read of a socket
 * holds 2,800 calls and their cancellation, which take 0.1 ms each.
 */
const RESET_BURST = 256;
const RESETS_PER_SECOND = 200;
/** SETTINGS entries and metadata fields that are read; further ones are an error. */
const MAX_SETTINGS = 32;
const MAX_METADATA_FIELDS = 128;
const SWEEPS_PER_TIMEOUT = 8;

export interface Connection {
  readonly socket: Socket;
  session: ServerHttp2Session | undefined;
  /** Tenant of the first valid key on it; absent: unauthenticated. */
  tenant: string | undefined;
  /** Open streams without a key. */
  keylessStreams: number;
}

export interface ConnectionBounds {
  /** The connection of a call; absent once it has closed. */
  of(stream: ServerHttp2Stream): Connection | undefined;
  /** Call it for data of a call without a key. */
  count(connection: Connection | undefined): void;
  /** Assigns the connection to the tenant of a call. @throws SkeinError QUOTA_EXCEEDED if the tenant has too many. */
  know(connection: Connection, tenant: string): void;
  /** Closes connections that do not speak HTTP/2 yet: the library does not know them. */
  closeSilent(): void;
  /** Closes every connection, even with calls in flight, and stops the timer. */
  close(): void;
}

/** Members of the library's server that its types do not declare. */
interface ServerInternals {
  commonServerOptions: ServerOptions & { handshakeTimeout?: number };
  createHttp2Server(credentials: unknown): Http2Server;
}

/**
 * Applies to ports that are bound afterwards.
 * @param prefaceMs time until a connection must speak HTTP/2.
 * @param budget of connections that carried a valid key.
 */
export function boundConnections(
  server: Server,
  prefaceMs: number,
  limits: Pick<
    GrpcLimits,
    'maxUnauthenticated' | 'maxConcurrentStreams' | 'maxUnauthenticatedStreams' | 'maxMetadataBytes'
  >,
  budget: SharedBudget,
): ConnectionBounds {
  const open = new Map<string, Connection>();
  const bySession = new WeakMap<object, Connection>();
  const strangers = new PacedStrangers();
  /** Oldest first. */
  const unauthenticated = new Set<Connection>();
  const silent = new PeerTimeouts<Connection>(prefaceMs, ({ socket }) => socket.destroy());
  const sweep = setInterval(() => silent.sweep(performance.now()), prefaceMs / SWEEPS_PER_TIMEOUT);
  sweep.unref();

  function connectionOf({ session }: ServerHttp2Stream): Connection | undefined {
    return session === undefined ? undefined : bySession.get(session);
  }

  /** Absent: the connection carried a valid key, or has closed. */
  function strangerOf(stream: ServerHttp2Stream): Socket | undefined {
    const connection = connectionOf(stream);
    return connection?.tenant === undefined ? connection?.socket : undefined;
  }

  function accept(socket: Socket): void {
    const name = nameOf(socket);
    const connection: Connection = {
      socket,
      session: undefined,
      tenant: undefined,
      keylessStreams: 0,
    };
    open.set(name, connection);
    silent.start(connection, performance.now());
    socket.once('close', () => {
      if (open.get(name) === connection) open.delete(name);
      if (connection.tenant === undefined) unauthenticated.delete(connection);
      else budget.give(connection.tenant, 1);
      silent.clear(connection);
      strangers.release(socket);
    });
  }

  /** Before HTTP/2 creates a session for the socket. */
  function closeOldest(socket: Socket): void {
    const [oldest] = unauthenticated;
    if (oldest !== undefined && unauthenticated.size >= limits.maxUnauthenticated) {
      unauthenticated.delete(oldest);
      dismiss(oldest);
    }
    unauthenticated.add(open.get(nameOf(socket))!);
    strangers.add(socket);
  }

  function begin(session: ServerHttp2Session): void {
    const connection = open.get(nameOf(session.socket));
    if (connection === undefined) return;
    connection.session = session;
    bySession.set(session, connection);
    let frames = 0;
    let windowEnds = 0;
    const count = (): void => {
      if (connection.tenant === undefined) strangers.count(connection.socket);
      const now = performance.now();
      if (now >= windowEnds) {
        frames = 0;
        windowEnds = now + CONTROL_WINDOW_MS;
      }
      if (++frames > CONTROL_FRAMES) dismiss(connection);
    };
    session.on('remoteSettings', () => {
      silent.clear(connection);
      count();
    });
    session.on('ping', count);
  }

  const internals = server as unknown as ServerInternals;
  const settings: Settings = {
    ...internals.commonServerOptions.settings,
    maxConcurrentStreams: limits.maxUnauthenticatedStreams,
    maxHeaderListSize: limits.maxMetadataBytes,
  };
  Object.assign(internals.commonServerOptions, {
    settings,
    maxSettings: MAX_SETTINGS,
    maxHeaderListPairs: MAX_METADATA_FIELDS,
    streamResetBurst: RESET_BURST,
    streamResetRate: RESETS_PER_SECOND,
    handshakeTimeout: prefaceMs,
  });
  const create = internals.createHttp2Server.bind(server);
  internals.createHttp2Server = (credentials) => {
    const http2Server = create(credentials);
    http2Server.prependListener('connection', closeOldest);
    strangers.pace<Socket>(
      http2Server,
      'connection',
      (socket) => socket,
      (socket) => void socket.destroy(),
    );
    http2Server.prependListener('connection', accept);
    http2Server.on('session', begin);
    http2Server.prependListener('stream', (_, headers) => boundTimeout(headers));
    // After the library, which by then has sent the answers that it can give from the headers.
    http2Server.on('stream', stopAnswered);
    strangers.pace<ServerHttp2Stream>(http2Server, 'stream', strangerOf, refuseStream);
    return http2Server;
  };

  return {
    of: connectionOf,
    count(connection) {
      if (connection !== undefined) strangers.count(connection.socket);
    },
    know(connection, tenant) {
      if (connection.tenant !== undefined || connection.socket.destroyed) return;
      budget.take(tenant, 1);
      connection.tenant = tenant;
      unauthenticated.delete(connection);
      strangers.release(connection.socket);
      const { session } = connection;
      if (session?.destroyed !== false) return;
      session.settings({ maxConcurrentStreams: limits.maxConcurrentStreams });
    },
    closeSilent() {
      for (const { session, socket } of open.values()) if (session === undefined) socket.destroy();
    },
    close() {
      clearInterval(sweep);
      for (const { socket } of open.values()) socket.destroy();
    },
  };
}

/** An answered call needs no more of its request: discard the data. */
export function stopAnswered(stream: ServerHttp2Stream): void {
  if (stream.writableEnded && !stream.closed) stream.close(http2.NGHTTP2_NO_ERROR);
}

function dismiss({ session, socket }: Connection): void {
  if (session === undefined || session.destroyed) socket.destroy();
  else session.destroy(undefined, http2.NGHTTP2_ENHANCE_YOUR_CALM);
}

/** Resolves a wrapper to its socket; a client may use one port of its own for both ports of the node. */
function nameOf({
  remoteAddress,
  remotePort,
  localPort,
}: Pick<Socket, 'remoteAddress' | 'remotePort' | 'localPort'>): string {
  return `${remoteAddress}:${remotePort}:${localPort}`;
}
