/** Rings of ranks in one process, over real sockets. */
import { createServer, type AddressInfo } from 'node:net';
import type { Collective } from '../collective.ts';
import { meet, type Meeting } from '../ring/rendezvous.ts';

export const SECRET = new TextEncoder().encode('a secret of sixteen or more');

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function meetingOf(size: number): Promise<Omit<Meeting, 'rank'>> {
  const port = await freePort();
  return { host: '127.0.0.1', port, size, secret: SECRET, plan: 'test', arrivalMs: 60_000 };
}

export async function ringOf(size: number): Promise<Collective[]> {
  const meeting = await meetingOf(size);
  return Promise.all(Array.from({ length: size }, (_, rank) => meet({ ...meeting, rank })));
}
