/**
 * A port that a gang's rank 0 can listen on. It is free when it is offered and not kept: the program
 * that gets it takes it itself, and fails, as it would anywhere, when somebody was faster.
 */
import { createServer, type AddressInfo } from 'node:net';

/** @param host as others reach this machine; where that is no address of its own, any will do. */
export async function freePort(host: string): Promise<number> {
  return probe(host).catch(() => probe(undefined));
}

async function probe(host: string | undefined): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: 0, host }, resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => {
    server.close(closed);
  });
  return port;
}
