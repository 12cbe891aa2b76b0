/**
 * WebSockets of an HTTP server, plain or TLS, as connections.
 *
 * A stranger can open them too. Until a key is proved, one may send a greeting and no more, and the number
 * of these is bounded, with the refused ones that have not closed yet.
 */
import type { Socket } from 'node:net';
import { SkeinError } from '@skein/api/errors';
import { FEDERATION_PATH } from '@skein/api/federations';
import { destroyWithin, LINGER_MS, refuseConnection, type UpgradeHandler } from '@skein/http';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Connection, connectionOver } from '../../transport/connection.ts';
import { MOST_SITE_FRAME } from '../../transport/messages.ts';
import { MOST_GREETING } from './sessions.ts';

/** A peer that answers no ping for this long is gone, in milliseconds. */
const PING_MS = 20_000;
/** Connections without a proved key, in any state: those that greet, and as many that were refused. */
const MOST_UNPROVED = 2 * MOST_GREETING;
/** Bytes that such a connection may send: a greeting and a proof have less than one kilobyte. */
const MOST_UNPROVED_BYTES = 16 * 1024;
/** Bytes that wait to be read by a site, from which on its pings are not answered. */
const MOST_UNREAD_BYTES = 256 * 1024;
/** Bytes of such a connection that are parsed before the next look at whether it has been closed. */
const UNPROVED_SLICE_BYTES = 1024;

export interface WebSockets extends UpgradeHandler {
  close(): void;
}

/** A server's socket sends frames as they are: their memory is in use until they have left the process. */
function flushing(socket: WebSocket): Connection {
  let last: Promise<void> | undefined;
  const connection = connectionOver(socket);
  // Frames as they lie in what was read: an ArrayBuffer of its own is a copy.
  socket.binaryType = 'nodebuffer';
  return {
    ...connection,
    send(frame) {
      if (socket.readyState !== socket.OPEN) return;
      last = new Promise((left) => {
        socket.send(frame, () => left());
      });
    },
    flushed: async () => last,
  };
}

export function serveWebSockets(connect: (connection: Connection) => void): WebSockets {
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: MOST_SITE_FRAME,
    perMessageDeflate: false,
    // Ten thousand pings in one read of a stranger's socket would be answered in one turn of the event loop.
    autoPong: false,
  });
  const silent = new WeakSet<WebSocket>();
  const unproved = new Set<WebSocket>();
  const ping = setInterval(() => {
    for (const socket of server.clients) {
      if (silent.has(socket)) socket.terminate();
      silent.add(socket);
      socket.ping();
    }
  }, PING_MS);
  ping.unref();
  function boundedUntilProved(accepted: WebSocket, socket: Socket): Connection {
    let received = 0;
    // The listener of the WebSocket, which has just been made.
    const parse = socket.listeners('data').at(-1) as (this: Socket, bytes: Buffer) => void;
    const parseBounded = (bytes: Buffer): void => {
      received += bytes.length;
      if (received > MOST_UNPROVED_BYTES) accepted.terminate();
      for (let at = 0; at < bytes.length && !socket.destroyed; at += UNPROVED_SLICE_BYTES) {
        parse.call(socket, bytes.subarray(at, at + UNPROVED_SLICE_BYTES));
      }
    };
    unproved.add(accepted);
    socket.off('data', parse);
    socket.on('data', parseBounded);
    accepted.once('close', () => unproved.delete(accepted));
    // A greeting needs none.
    accepted.on('ping', (data: Buffer) => {
      if (unproved.has(accepted)) accepted.terminate();
      // A site that does not read must not fill the memory with pongs; only the last ping needs one (RFC 6455, 5.5.3).
      else if (accepted.bufferedAmount < MOST_UNREAD_BYTES) accepted.pong(data);
    });
    const connection = flushing(accepted);
    return {
      ...connection,
      admit() {
        unproved.delete(accepted);
        socket.off('data', parseBounded);
        socket.on('data', parse);
      },
      close() {
        connection.close();
        // A stranger must not keep it by leaving the end of it unanswered.
        if (unproved.has(accepted)) destroyWithin(socket, LINGER_MS);
      },
    };
  }

  return {
    asks({ url, headers }) {
      const path = url?.split('?', 1)[0];
      return path === FEDERATION_PATH && headers.upgrade?.toLowerCase() === 'websocket';
    },
    accept(request, socket, head) {
      return new Promise((resolve) => {
        if (unproved.size >= MOST_UNPROVED) {
          const message = `${MOST_UNPROVED} connections have proved no key.`;
          refuseConnection(socket, new SkeinError('FEDERATION_BUSY', message));
          return resolve(false);
        }
        // A request that is no handshake is answered and closed by the server of WebSockets.
        socket.once('close', () => resolve(false));
        server.handleUpgrade(request, socket, head, (accepted) => {
          for (const event of ['pong', 'message'] as const) {
            accepted.on(event, () => silent.delete(accepted));
          }
          connect(boundedUntilProved(accepted, socket));
          resolve(true);
        });
      });
    },
    close() {
      clearInterval(ping);
      for (const socket of server.clients) socket.terminate();
      server.close();
    },
  };
}
