/** A TCP connection that sends and receives as a test directs, for tests of misbehaving clients. */
import { connect, type Socket } from 'node:net';

export interface RawClient {
  readonly socket: Socket;
  /** All received data. */
  received(): string;
  /** Resolves when the received data match. */
  until(pattern: RegExp): Promise<string>;
  /** Resolves with all received data when the server has closed. */
  readonly closed: Promise<string>;
}

/** The caller destroys the socket. */
export function rawClient(port: number): RawClient {
  const socket = connect({ host: '127.0.0.1', port });
  let text = '';
  const waiting = new Set<() => void>();
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    for (const check of waiting) check();
  });
  socket.on('error', () => {});
  return {
    socket,
    received: () => text,
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const check = () => {
          if (!pattern.test(text)) return;
          waiting.delete(check);
          resolve(text);
        };
        socket.once('close', () => reject(new Error(`closed after: ${text}`)));
        waiting.add(check);
        check();
      }),
    closed: new Promise((resolve) => {
      socket.once('close', () => resolve(text));
    }),
  };
}
