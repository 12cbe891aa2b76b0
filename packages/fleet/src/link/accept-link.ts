/** The callee's side of a new connection: nothing but a hash is computed before the key is proven. */
import type { IncomingMessage } from 'node:http';
import { performServerHandshake, type ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import {
  isProof,
  newNonce,
  NONCE_HEADER,
  nonceOf,
  proof,
  PROOF_BYTES,
  PROOF_HEADER,
  UPGRADE,
  writeAll,
} from './handshake.ts';
import { LINK_SETTINGS, RESETS, SESSION_WINDOW } from './settings.ts';

/** Time until the caller must have proven the key, in milliseconds. */
const PROOF_TIMEOUT_MS = 5000;

/**
 * @param head bytes that arrived after the request.
 * @returns the session; undefined if the caller does not know the key, and the connection is closed.
 */
export async function acceptLink(
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
  key: string,
): Promise<ServerHttp2Session | undefined> {
  socket.on('error', () => {});
  const caller = nonceOf(request);
  if (caller === undefined) {
    socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n', () => socket.destroy());
    return undefined;
  }
  if (socket.destroyed) return undefined;
  const nonces = { caller, callee: newNonce() };
  const ours = proof(key, 'callee', nonces, socket);
  const written = writeAll(
    socket,
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${UPGRADE}\r\n` +
      `${NONCE_HEADER}: ${nonces.callee}\r\n${PROOF_HEADER}: ${ours.toString('hex')}\r\n\r\n`,
  );
  if (head.byteLength > 0) socket.unshift(head);
  const given = await readExactly(socket, PROOF_BYTES, PROOF_TIMEOUT_MS);
  await written;
  if (given === undefined || !isProof(given, proof(key, 'caller', nonces, socket))) {
    socket.destroy();
    return undefined;
  }
  if (socket.destroyed) return undefined;
  socket.setNoDelay(true);
  const session = performServerHandshake(socket, { settings: LINK_SETTINGS, ...RESETS });
  session.on('error', () => socket.destroy());
  session.setLocalWindowSize(SESSION_WINDOW);
  return session;
}

/** Leaves what follows in the socket. @returns less of a socket that ends; undefined if it takes too long. */
function readExactly(
  socket: Socket,
  count: number,
  timeoutMs: number,
): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => done(undefined), timeoutMs);
    const done = (bytes: Buffer | undefined): void => {
      clearTimeout(timer);
      socket.off('readable', read);
      socket.off('close', end);
      socket.off('end', end);
      resolve(bytes);
    };
    const end = (): void => done(undefined);
    const read = (): void => {
      const bytes = socket.read(count) as Buffer | null;
      if (bytes !== null) done(bytes);
    };
    socket.on('readable', read);
    socket.once('close', end);
    socket.once('end', end);
    read();
  });
}
