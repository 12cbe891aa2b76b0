/** A network between sites and a coordinator that a test can take away: a proxy that forwards nothing, and breaks what it holds. */
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { openSocket } from '../../site/node.ts';
import type { Connection } from '../../transport/connection.ts';
import type { TestFederation } from './federation.ts';

export interface TestNetwork {
  /** Connects to the coordinator through it. */
  readonly open: () => Promise<Connection>;
  /** From now on nothing arrives, and no side is notified of it. */
  goDark(): void;
  /** Open connections break; new connections arrive. */
  breakAndReturn(): void;
  /** New connections arrive; what was connected stays as it is, and dark. */
  returnForOthers(): void;
}

export async function startNetwork(at: TestFederation): Promise<TestNetwork> {
  const http = createHttpServer();
  http.on('upgrade', (request, socket, head) => {
    void at.coordinator.upgrade.accept(request, socket as Socket, head);
  });
  const target = await listening(http);
  const sockets = new Set<Socket>();
  let isDark = false;
  const proxy = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (bytes) => to.write(bytes));
      from.on('error', () => {});
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      if (isDark) from.pause();
    }
  });
  const port = await listening(proxy);
  const breakAll = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  onTestFinished(() => {
    breakAll();
    proxy.close();
    http.close();
    http.closeAllConnections();
  });
  return {
    open: () => openSocket(`http://127.0.0.1:${port}`),
    goDark() {
      isDark = true;
      for (const socket of sockets) socket.pause();
    },
    breakAndReturn() {
      isDark = false;
      breakAll();
    },
    returnForOthers() {
      isDark = false;
    },
  };
}

async function listening(server: Pick<Server, 'listen' | 'address'>): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return (server.address() as AddressInfo).port;
}
