/** A Redis behind connections that are cut. */
import { once } from 'node:events';
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';

/** Passes bytes on to the server, and cuts the connection instead of about every so many answers. */
export async function cuttingProxy(port: number, every: number) {
  let left = every;
  let cuts = 0;
  const sockets = new Set<Socket>();
  const proxy = createServer((caller) => {
    const upstream = createConnection(port, '127.0.0.1');
    for (const socket of [caller, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        caller.destroy();
        upstream.destroy();
      });
    }
    caller.pipe(upstream);
    upstream.on('data', (chunk: Buffer) => {
      left -= 1;
      if (left > 0) return void caller.write(chunk);
      caller.destroy();
      cuts += 1;
      // Not the same call in each turn of a loop.
      left = every + ((cuts * 5) % 11);
    });
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  const { port: at } = proxy.address() as AddressInfo;
  return {
    url: `redis://127.0.0.1:${at}`,
    close() {
      proxy.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
