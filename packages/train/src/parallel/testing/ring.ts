/** Rings of ranks in one process, over real sockets. */
import { freePort } from '../../../../jobs/src/worker/free-port.ts';
import type { Collective } from '../collective.ts';
import { joinRing, type RingOptions } from '../ring/rendezvous.ts';

export const SECRET = new TextEncoder().encode('a secret of sixteen or more');

export async function ringOptions(size: number): Promise<Omit<RingOptions, 'rank'>> {
  const port = await freePort('127.0.0.1');
  return { host: '127.0.0.1', port, size, secret: SECRET, plan: 'test', arrivalMs: 60_000 };
}

export async function ringOf(size: number): Promise<Collective[]> {
  const ring = await ringOptions(size);
  return Promise.all(Array.from({ length: size }, (_, rank) => joinRing({ ...ring, rank })));
}
