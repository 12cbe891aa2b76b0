/** The parts of a site that need Node: its memory in a file, its connection by `ws`. */
import type { ConnectionOptions, SecureContextOptions } from 'node:tls';
import { connectionError } from '@skein/api/client';
import { FEDERATION_PATH } from '@skein/api/federations';
import { WebSocket } from 'ws';
import { connectionOver, type Connection } from '../transport/connection.ts';
import { MOST_FRAME } from '../transport/messages.ts';

export { type AccountReport, UNITS } from './account/account.ts';
export {
  type Counting,
  DEFAULT_ACCOUNT,
  openSiteAccounts,
  type SiteAccounts,
} from './account/sqlite-account.ts';
export { openSqliteMemory } from './memory/sqlite-memory.ts';

/** Wait for a connection, in milliseconds. */
const HANDSHAKE_MS = 20_000;

/**
 * @param url of the node, `http:` or `https:`.
 * @param trust certificates that are trusted, and the one that is presented.
 * @throws SkeinError NODE_UNREACHABLE, TLS_FAILED.
 */
export function openSocket(
  url: string,
  trust: SecureContextOptions & Pick<ConnectionOptions, 'checkServerIdentity'> = {},
): Promise<Connection> {
  const address = new URL(FEDERATION_PATH, url);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  const options = {
    ...(trust as object),
    handshakeTimeout: HANDSHAKE_MS,
    maxPayload: MOST_FRAME,
    perMessageDeflate: false,
  };
  const socket = new WebSocket(address, options);
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(connectionOver(socket)));
    socket.once('error', (cause) => reject(connectionError(url, new Error('ws', { cause }))));
  });
}
