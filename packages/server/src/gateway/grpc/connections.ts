/**
 * Bounds what a connection may do before and without a call: the number of connections, the time
 * until a connection speaks HTTP/2, and the rate of frames that only cost the server time.
 *
 * A connection that never carried a valid key is unauthenticated. Unauthenticated connections make
 * room for new ones, so that a flood of them displaces only itself.
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
import { PeerTimeouts, TurnTime } from '@skein/http';
import type { GrpcLimits } from './limits.ts';
import { paceStreams } from './paced-streams.ts';

/** PING and SETTINGS frames of one connection in a window; a client that measures its bandwidth sends hundreds. */
const CONTROL_FRAMES = 5000;
const CONTROL_WINDOW_MS = 1000;
/** RST_STREAM frames that may arrive at once, and per second; each cancels a call. */
const RESET_BURST = 1000;
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
  /** Of the calls on all unauthenticated connections. */
  const time = new TurnTime();
  /** Oldest first. */
  const unauthenticated = new Set<Connection>();
  const silent = new PeerTimeouts<Connection>(prefaceMs, ({ socket }) => socket.destroy());
  const sweep = setInterval(() => silent.sweep(performance.now()), prefaceMs / SWEEPS_PER_TIMEOUT);
  sweep.unref();

  function connectionOf({ session }: ServerHttp2Stream): Connection | undefined {
    return session === undefined ? undefined : bySession.get(session);
  }

  function accept(socket: Socket): void {
    if (unauthenticated.size >= limits.maxUnauthenticated) displaceOldest();
    const name = nameOf(socket);
    const connection: Connection = {
      socket,
      session: undefined,
      tenant: undefined,
      keylessStreams: 0,
    };
    open.set(name, connection);
    unauthenticated.add(connection);
    silent.start(connection, performance.now());
    socket.once('close', () => {
      if (open.get(name) === connection) open.delete(name);
      if (connection.tenant === undefined) unauthenticated.delete(connection);
      else budget.give(connection.tenant, 1);
      silent.clear(connection);
    });
  }

  function displaceOldest(): void {
    const [oldest] = unauthenticated;
    if (oldest === undefined) return;
    unauthenticated.delete(oldest);
    dismiss(oldest);
  }

  function begin(session: ServerHttp2Session): void {
    const connection = open.get(nameOf(session.socket));
    if (connection === undefined) return;
    connection.session = session;
    bySession.set(session, connection);
    let frames = 0;
    let windowEnds = 0;
    const count = (): void => {
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
    // Before HTTP/2 creates a session for it.
    http2Server.prependListener('connection', accept);
    http2Server.on('session', begin);
    // After the library, which by then has sent the answers that it can give from the headers.
    http2Server.on('stream', stopAnswered);
    paceStreams(http2Server, (stream) => connectionOf(stream)?.tenant !== undefined, time);
    return http2Server;
  };

  return {
    of: connectionOf,
    know(connection, tenant) {
      if (connection.tenant !== undefined || connection.socket.destroyed) return;
      budget.take(tenant, 1);
      connection.tenant = tenant;
      unauthenticated.delete(connection);
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
