/**
 * A port that a gang's rank 0 can listen on. The port is free when it is offered, and it is not
 * reserved: the program takes it itself, and fails as usual when another process has taken it
 * first.
 */
import { createServer, type AddressInfo } from 'node:net';

/**
 * @param host the address under which other machines reach this one; when no interface has it, any
 * free port will do.
 */
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
