/** A connection between two nodes that a test can slow down or cut, without touching the machine's network. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface TcpProxy {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** Where connections go. */
  target: number;
  /** Added to what each side sends, in milliseconds. */
  delayMs: number;
  /** Ends all connections and takes no more until `heal`. */
  cut(): void;
  heal(): void;
  close(): void;
}

export async function startTcpProxy(): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    if (isCut) return void near.destroy();
    const far = connect(proxy.target, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('data', (chunk) => {
        if (proxy.delayMs === 0) to.write(chunk);
        else setTimeout(() => to.write(chunk), proxy.delayMs);
      });
      from.on('error', () => {});
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const proxy: TcpProxy = {
    url: `http://127.0.0.1:${port}`,
    target: 0,
    delayMs: 0,
    cut() {
      isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    heal: () => void (isCut = false),
    close() {
      this.cut();
      server.close();
    },
  };
  return proxy;
}
