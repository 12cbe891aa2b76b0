/** Rings of ranks in one process, over real sockets. */
import { createServer, type AddressInfo } from 'node:net';
import type { Collective } from '../collective.ts';
import { joinRing, type RingOptions } from '../ring/rendezvous.ts';

export const SECRET = new TextEncoder().encode('a secret of sixteen or more');

/** A port without a listener. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function ringOptions(size: number): Promise<Omit<RingOptions, 'rank'>> {
  const port = await freePort();
  return { host: '127.0.0.1', port, size, secret: SECRET, plan: 'test', arrivalMs: 60_000 };
}

export async function ringOf(size: number): Promise<Collective[]> {
  const ring = await ringOptions(size);
  return Promise.all(Array.from({ length: size }, (_, rank) => joinRing({ ...ring, rank })));
}
