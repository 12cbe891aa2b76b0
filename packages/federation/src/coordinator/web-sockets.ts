/** WebSockets of an HTTP server, plain or TLS, as connections. */
import { FEDERATION_PATH } from '@skein/api/federations';
import type { UpgradeHandler } from '@skein/http';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Connection, connectionOver } from '../transport/connection.ts';
import { MOST_FRAME } from '../transport/messages.ts';

/** A peer that answers no ping for this long is gone, in milliseconds. */
const PING_MS = 20_000;

export interface WebSockets extends UpgradeHandler {
  close(): void;
}

export function serveWebSockets(connect: (connection: Connection) => void): WebSockets {
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: MOST_FRAME,
    perMessageDeflate: false,
  });
  const silent = new WeakSet<WebSocket>();
  const ping = setInterval(() => {
    for (const socket of server.clients) {
      if (silent.has(socket)) socket.terminate();
      silent.add(socket);
      socket.ping();
    }
  }, PING_MS);
  ping.unref();
  return {
    asks({ url, headers }) {
      const path = url?.split('?', 1)[0];
      return path === FEDERATION_PATH && headers.upgrade?.toLowerCase() === 'websocket';
    },
    accept(request, socket, head) {
      return new Promise((resolve) => {
        // A request that is no handshake is answered and closed by the server of WebSockets.
        socket.once('close', () => resolve(false));
        server.handleUpgrade(request, socket, head, (accepted) => {
          for (const event of ['pong', 'message'] as const) {
            accepted.on(event, () => silent.delete(accepted));
          }
          connect(connectionOver(accepted));
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
