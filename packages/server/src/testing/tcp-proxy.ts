/** A connection between two nodes that a test can slow down or cut, without touching the machine's network. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface TcpProxy {
  /** `http://HOST:PORT`, of the nearer side. */
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

/** @param near address that it listens on. @param far address of what it connects to. */
export async function startTcpProxy(near = '127.0.0.1', far = '127.0.0.1'): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((accepted) => {
    if (isCut) return void accepted.destroy();
    const made = connect(proxy.target, far);
    for (const [from, to] of [
      [accepted, made],
      [made, accepted],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      let sent = Promise.resolve();
      from.on('data', (chunk) => {
        const due = performance.now() + proxy.delayMs;
        // In order, also when the delay becomes shorter.
        sent = sent.then(async () => {
          const leftMs = due - performance.now();
          if (leftMs > 0) await sleep(leftMs);
          to.write(chunk);
        });
      });
      from.on('error', () => {});
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, near, resolve));
  const { port } = server.address() as AddressInfo;
  const proxy: TcpProxy = {
    url: `http://${near}:${port}`,
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
