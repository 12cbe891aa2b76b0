/**
 * Bounds what a connection may do before, and without, any call: how many there are, how long one may
 * take to speak HTTP/2, and how often it may send the frames that only keep the other side busy.
 *
 * A connection that never carried a valid key is a stranger. Strangers give way to new connections, so
 * that a flood of them displaces only itself.
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
import type { GrpcLimits } from './grpc-limits.ts';

/** PING and SETTINGS frames of one connection in a window; a client that measures its line sends hundreds. */
const CONTROL_FRAMES = 5000;
const CONTROL_WINDOW_MS = 1000;
/** RST_STREAM frames that may come at once, and per second; one cancels a call. */
const RESET_BURST = 1000;
const RESETS_PER_SECOND = 200;
/** Sections of SETTINGS, and fields of metadata, that are read at all. */
const MAX_SETTINGS = 32;
const MAX_METADATA_FIELDS = 128;
const LOOKS_PER_TIMEOUT = 8;

export interface Connection {
  readonly socket: Socket;
  session: ServerHttp2Session | undefined;
  /** Of the first valid key on it; absent: a stranger's. */
  tenant: string | undefined;
  /** Streams that are open without a key. */
  keylessStreams: number;
}

export interface ConnectionBounds {
  /** What carries a call; absent once it is gone. */
  of(stream: ServerHttp2Stream): Connection | undefined;
  /** A call of the tenant came on it. @throws SkeinError QUOTA_EXCEEDED when the tenant has too many. */
  know(connection: Connection, tenant: string): void;
  /** Closes connections that do not speak HTTP/2 yet: the library knows nothing of them. */
  closeSilent(): void;
  /** Closes every connection, whatever is under way on it, and stops looking. */
  close(): void;
}

/** What the library has and does not declare. */
interface ServerInternals {
  commonServerOptions: ServerOptions & { handshakeTimeout?: number };
  createHttp2Server(credentials: unknown): Http2Server;
}

/**
 * Takes effect for the ports that are bound afterwards.
 * @param prefaceMs time until HTTP/2 is spoken.
 * @param budget of connections that carried a valid key.
 */
export function boundConnections(
  server: Server,
  prefaceMs: number,
  limits: Pick<GrpcLimits, 'maxStrangers' | 'maxConcurrentStreams' | 'maxMetadataBytes'>,
  budget: SharedBudget,
): ConnectionBounds {
  const open = new Map<string, Connection>();
  const bySession = new WeakMap<object, Connection>();
  /** Oldest first. */
  const strangers = new Set<Connection>();
  const silent = new PeerTimeouts<Connection>(prefaceMs, ({ socket }) => socket.destroy());
  const sweep = setInterval(() => silent.sweep(performance.now()), prefaceMs / LOOKS_PER_TIMEOUT);
  sweep.unref();

  function accept(socket: Socket): void {
    if (strangers.size >= limits.maxStrangers) displaceOldest();
    const name = nameOf(socket);
    const connection: Connection = {
      socket,
      session: undefined,
      tenant: undefined,
      keylessStreams: 0,
    };
    open.set(name, connection);
    strangers.add(connection);
    silent.start(connection, performance.now());
    socket.once('close', () => {
      if (open.get(name) === connection) open.delete(name);
      if (connection.tenant === undefined) strangers.delete(connection);
      else budget.give(connection.tenant, 1);
      silent.clear(connection);
    });
  }

  function displaceOldest(): void {
    const [oldest] = strangers;
    if (oldest === undefined) return;
    strangers.delete(oldest);
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
    maxConcurrentStreams: limits.maxConcurrentStreams,
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
    // Before HTTP/2 makes a session of it.
    http2Server.prependListener('connection', accept);
    http2Server.on('session', begin);
    // After the library, which has answered here what it could answer from the headers.
    http2Server.on('stream', stopAnswered);
    return http2Server;
  };

  return {
    of: ({ session }) => (session === undefined ? undefined : bySession.get(session)),
    know(connection, tenant) {
      if (connection.tenant !== undefined || connection.socket.destroyed) return;
      budget.take(tenant, 1);
      connection.tenant = tenant;
      strangers.delete(connection);
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

/** A call that is answered needs no more of its request: the data would only be thrown away. */
export function stopAnswered(stream: ServerHttp2Stream): void {
  if (stream.writableEnded && !stream.closed) stream.close(http2.NGHTTP2_NO_ERROR);
}

function dismiss({ session, socket }: Connection): void {
  if (session === undefined || session.destroyed) socket.destroy();
  else session.destroy(undefined, http2.NGHTTP2_ENHANCE_YOUR_CALM);
}

/** The same for a socket and for what wraps it. */
function nameOf({
  remoteAddress,
  remotePort,
}: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
  return `${remoteAddress}:${remotePort}`;
}
