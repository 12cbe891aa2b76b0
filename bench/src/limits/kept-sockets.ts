/** Connections that an attack opens and keeps, and what it writes into them. */
import { connect, type Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Attack } from './attack.ts';

/** Connections that are opened at once, so that the attacker's own backlog is not what is measured. */
const BURST = 100;
const EVERY_MS = 10;
/** Connections of an attack that asks for an upgrade. */
const UPGRADED = 3000;

/**
 * Keeps the given number of connections open; each runs `behave` when it opens, and a lost one is
 * replaced.
 * @param port that is attacked. Default: the HTTP port.
 */
export function keepSockets(
  sockets: number,
  behave: (socket: Socket) => void,
  port: 'httpPort' | 'grpcPort' = 'httpPort',
): Attack['run'] {
  return async (target, until) => {
    const open = new Set<Socket>();
    while (!until.aborted) {
      for (let count = 0; count < BURST && open.size < sockets; count++) {
        const socket = connect(target[port], target.host);
        open.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => open.delete(socket));
        socket.on('connect', () => behave(socket));
      }
      await sleep(EVERY_MS);
    }
    const closed = [...open].map(
      (socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())),
    );
    for (const socket of open) socket.destroy();
    await Promise.all(closed);
  };
}

/**
 * @param ask the first bytes of a connection.
 * @param speak called when the node has answered them; nothing else that comes is answered, not even its end.
 */
export function keepUpgraded(ask: () => string, speak: (socket: Socket) => void): Attack['run'] {
  return keepSockets(UPGRADED, (socket) => {
    socket.once('data', () => {
      socket.resume();
      speak(socket);
    });
    socket.write(ask());
  });
}

/** Writes for as long as the peer reads. */
export function flood(stream: Writable, bytes: Buffer): void {
  const go = (): void => {
    while (stream.writable && stream.write(bytes));
  };
  stream.on('drain', go);
  go();
}
