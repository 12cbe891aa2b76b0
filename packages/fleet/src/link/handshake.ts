/**
 * How two nodes of a fleet prove to each other that they know its key, without sending it.
 *
 *   caller                                    callee
 *     │ GET /, Upgrade: skein-fleet, nonce ─────▶ │
 *     │ ◀──── 101, nonce, proof(callee, nonces)   │
 *     │ proof(caller, nonces) ──────────────────▶ │  32 bytes, then HTTP/2
 *
 * A proof is an HMAC over the role and both nonces, so neither side can be replayed or reflected.
 * Over TLS it also covers keying material of the connection (RFC 5705): a machine in the middle has
 * two connections with different material, so peers need no certificate authority. Without TLS the
 * proofs keep strangers out, and who can read the network can read what follows.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

export const UPGRADE = 'skein-fleet';
export const NONCE_HEADER = 'skein-fleet-nonce';
export const PROOF_HEADER = 'skein-fleet-proof';

const NONCE_BYTES = 16;
export const PROOF_BYTES = 32;
/** Shorter keys can be guessed. */
export const MIN_KEY_LENGTH = 32;

export interface Nonces {
  readonly caller: string;
  readonly callee: string;
}

export const newNonce = (): string => randomBytes(NONCE_BYTES).toString('hex');

export function proof(
  key: string,
  role: 'caller' | 'callee',
  { caller, callee }: Nonces,
  socket: Duplex,
): Buffer {
  return createHmac('sha256', key)
    .update(`skein-fleet/1\n${role}\n${caller}\n${callee}\n`)
    .update(channelOf(socket))
    .digest();
}

/** In constant time. */
export function isProof(given: Buffer, expected: Buffer): boolean {
  return given.byteLength === expected.byteLength && timingSafeEqual(given, expected);
}

/** Whether a request asks for a connection between nodes. */
export function asksForLink({ headers, method }: IncomingMessage): boolean {
  return method === 'GET' && headers.upgrade === UPGRADE;
}

/** The nonce of a request or an answer; absent if it has none of the right form. */
export function nonceOf({ headers }: IncomingMessage): string | undefined {
  const nonce = headers[NONCE_HEADER];
  return typeof nonce === 'string' && /^[0-9a-f]{32}$/.test(nonce) ? nonce : undefined;
}

function channelOf(socket: Duplex): Buffer {
  if (!(socket instanceof TLSSocket)) return Buffer.alloc(0);
  return socket.exportKeyingMaterial(PROOF_BYTES, 'EXPERIMENTAL-skein-fleet', Buffer.alloc(0));
}

/**
 * Resolves when the bytes have left, or the socket has closed. HTTP/2 must not get a socket before:
 * Node aborts the process when a write ends that HTTP/2 has not begun.
 */
export function writeAll(socket: Duplex, bytes: string | Buffer): Promise<void> {
  return new Promise((resolve) => {
    socket.write(bytes, () => resolve());
  });
}
