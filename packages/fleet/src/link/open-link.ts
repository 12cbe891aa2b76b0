/** The caller's side of a new connection: the callee has proven the key before a request is sent. */
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import {
  isProof,
  newNonce,
  NONCE_HEADER,
  nonceOf,
  proof,
  PROOF_HEADER,
  UPGRADE,
  writeAll,
} from './handshake.ts';
import { LINK_SETTINGS, SESSION_WINDOW } from './settings.ts';

export interface LinkOptions {
  /** Known to all nodes of the fleet. */
  readonly key: string;
  /** Presented to peers that ask for a certificate. */
  readonly certificate?: (() => Pick<SecureContextOptions, 'cert' | 'key'>) | undefined;
}

/** @param timeoutMs for the whole handshake. @throws Error if the peer cannot be reached, or does not know the key. */
export async function openLink(
  address: string,
  { key, certificate }: LinkOptions,
  timeoutMs: number,
): Promise<ClientHttp2Session> {
  const caller = newNonce();
  const { response, socket } = await upgrade(address, caller, timeoutMs, certificate);
  const callee = nonceOf(response);
  const given = Buffer.from(String(response.headers[PROOF_HEADER] ?? ''), 'hex');
  if (callee === undefined || !isProof(given, proof(key, 'callee', { caller, callee }, socket))) {
    socket.destroy();
    throw new Error(`The node at ${address} does not know the fleet key.`);
  }
  socket.setNoDelay(true);
  await writeAll(socket, proof(key, 'caller', { caller, callee }, socket));
  const session = connectHttp2(address, {
    createConnection: () => socket,
    settings: LINK_SETTINGS,
  });
  // Each stream also gets the failure.
  session.on('error', () => {});
  session.once('connect', () => session.setLocalWindowSize(SESSION_WINDOW));
  session.unref();
  return session;
}

function upgrade(
  address: string,
  nonce: string,
  timeoutMs: number,
  certificate: LinkOptions['certificate'],
): Promise<{ readonly response: IncomingMessage; readonly socket: Socket }> {
  const options = {
    headers: { Connection: 'Upgrade', Upgrade: UPGRADE, [NONCE_HEADER]: nonce },
    agent: false,
    // The proofs cover the connection's keying material, so the certificate need not be trusted.
    rejectUnauthorized: false,
    ...certificate?.(),
  };
  const request = address.startsWith('https:')
    ? requestHttps(address, options)
    : requestHttp(address, options);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      request.destroy(new Error(`The node at ${address} did not answer in time.`));
    }, timeoutMs);
    request.on('upgrade', (response: IncomingMessage, socket: Socket, head: Buffer) => {
      clearTimeout(timer);
      if (head.byteLength > 0) socket.unshift(head);
      resolve({ response, socket });
    });
    request.on('response', (response) => {
      clearTimeout(timer);
      response.destroy();
      reject(
        new Error(`The node at ${address} answered ${response.statusCode}: it takes no peers.`),
      );
    });
    request.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    request.end();
  });
}
