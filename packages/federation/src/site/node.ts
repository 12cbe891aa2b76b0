/** What a site needs of Node: its memory in a file, its connection by `ws`. */
import { SkeinError } from '@skein/api/errors';
import { WebSocket, type ClientOptions } from 'ws';
import { connectionOver, type Connection } from '../transport/connection.ts';
import { MOST_FRAME } from '../transport/messages.ts';

export { openSqliteMemory } from './memory/sqlite-memory.ts';

/** Wait for a connection, in milliseconds. */
const HANDSHAKE_MS = 20_000;
/** Where sites connect. */
const FEDERATION_PATH = '/federation/v1';

/**
 * @param url of the node, `http:` or `https:`.
 * @param trust certificates that are trusted, and the one that is presented.
 * @throws SkeinError NODE_UNREACHABLE.
 */
export function openSocket(
  url: string,
  trust: Pick<ClientOptions, 'ca' | 'cert' | 'key' | 'checkServerIdentity'> = {},
): Promise<Connection> {
  const address = new URL(FEDERATION_PATH, url);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(address, {
    ...trust,
    handshakeTimeout: HANDSHAKE_MS,
    maxPayload: MOST_FRAME,
    perMessageDeflate: false,
  });
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(connectionOver(socket)));
    socket.once('error', (cause) => {
      const message = `No coordinator answers at ${address.origin}: ${cause.message}.`;
      reject(new SkeinError('NODE_UNREACHABLE', message, { cause }));
    });
  });
}
