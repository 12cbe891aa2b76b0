/** A member over a real socket; the test gives the way in which it serves each connection. */
import { createServer } from 'node:http';
import type { ServerHttp2Session } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { acceptLink } from '../accept-link.ts';
import { encodeFrame } from '../frame.ts';

export const KEY = 'a key of the fleet that is long enough';
/** Functions that end the members and connections of a test. */
export const closers: (() => void)[] = [];

export function closeMembers(): void {
  for (const close of closers.splice(0)) close();
}

/** @returns the address of a member that serves connections in this way. */
export async function member(serve: (session: ServerHttp2Session) => void): Promise<string> {
  const server = createServer();
  server.on('upgrade', (request, socket: Socket, head) => {
    closers.push(() => socket.destroy());
    void acceptLink(request, socket, head, KEY).then((session) => session && serve(session));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export const bytes = (meta: object): Buffer => Buffer.concat(encodeFrame(meta));

export const REQUEST = {
  id: 'r',
  deployment: 'risk',
  priority: 0,
  tenant: 't',
  protocol: 'http',
  elapsedMs: 1,
};
