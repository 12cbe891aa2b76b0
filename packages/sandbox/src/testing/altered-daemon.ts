/**
 * The Docker daemon behind a relay that changes requests: to a driver, it is a daemon that accepts
 * a request and does less than it claims.
 */
import { once } from 'node:events';
import { createServer, request, type ClientRequest, type IncomingMessage } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';

export type Fields = Record<string, unknown>;
/**
 * Changes a request that creates or updates a container, in place; `limits` is the part that
 * contains the limits.
 */
export type Alter = (limits: Fields, order: Fields) => void;

export interface AlteredDaemon {
  /** In the form of DOCKER_HOST. */
  readonly host: string;
  close(): void;
}

export async function alteredDaemon(alter: Alter): Promise<AlteredDaemon> {
  const socketPath = process.env['DOCKER_HOST']?.replace('unix://', '') ?? '/var/run/docker.sock';
  const folder = mkdtempSync(join(tmpdir(), 'skein-daemon-'));
  const sockets = new Set<Socket>();
  const change = async (asked: IncomingMessage, onward: ClientRequest) => {
    const order = (await json(asked)) as Fields;
    alter((order['HostConfig'] as Fields | undefined) ?? order, order);
    const body = JSON.stringify(order);
    onward.setHeader('content-length', Buffer.byteLength(body));
    onward.end(body);
  };
  const forward = (asked: IncomingMessage): ClientRequest => {
    const { url = '', method, headers } = asked;
    const onward = request({ socketPath, path: url, method, headers });
    if (method === 'POST' && /\/containers\/(create|\w+\/update)/.test(url)) {
      change(asked, onward).catch((error: Error) => onward.destroy(error));
    } else asked.pipe(onward);
    return onward;
  };
  const server = createServer((asked, answer) => {
    const onward = forward(asked);
    onward.on('error', () => answer.destroy());
    onward.on('response', (response) => {
      answer.writeHead(response.statusCode ?? 500, response.headers);
      response.pipe(answer);
    });
  });
  // `attach`: from the answer on, bytes in both directions.
  server.on('upgrade', (asked: IncomingMessage, client: Socket) => {
    const onward = forward(asked);
    onward.on('error', () => client.destroy());
    onward.on('upgrade', (response, daemon: Socket, head) => {
      const lines = response.rawHeaders.map((word, index) => word + (index % 2 ? '\r\n' : ': '));
      client.write(`HTTP/1.1 101 UPGRADED\r\n${lines.join('')}\r\n`);
      client.write(head);
      for (const [from, to] of [
        [client, daemon],
        [daemon, client],
      ] as const) {
        from.on('error', () => to.destroy());
        from.on('close', () => to.destroy());
        from.pipe(to);
      }
    });
  });
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(join(folder, 'docker.sock'));
  await once(server, 'listening');
  return {
    host: `unix://${folder}/docker.sock`,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
