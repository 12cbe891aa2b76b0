/** The daemon's socket, as if it were on another machine. */
import { once } from 'node:events';
import {
  createConnection,
  createServer,
  type AddressInfo,
  type Server,
  type Socket,
} from 'node:net';

export interface Relay {
  /** For `DOCKER_HOST`. */
  readonly host: string;
  /** Breaks every connection. */
  readonly cut: () => void;
}

export async function relay(): Promise<Relay> {
  const socket = process.env['DOCKER_HOST']?.replace('unix://', '') ?? '/var/run/docker.sock';
  const open = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (client) => {
    const daemon = createConnection({ path: socket, allowHalfOpen: true });
    for (const [from, to] of [
      [client, daemon],
      [daemon, client],
    ] as const) {
      open.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
      from.pipe(to);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    for (const each of open) each.destroy();
    server.close();
  };
  return { host: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`, cut };
}
