/**
 * Sends HTTP/1.1 requests over raw sockets: the request is one prepared buffer, a connection
 * carries one request at a time, and idle connections are reused last in, first out, so that no
 * more are open than the load needs. `node:http` would cost several times as much per request, on a
 * machine that the server shares.
 */
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectSecurely } from 'node:tls';
import { connectOptions } from './trust.ts';
import { ResponseReader, type ResponseEnd } from './http-response.ts';
import { ANSWERED, type LoadTarget, type Sender, type WireAnswer } from '../target.ts';

type Done = (answer: WireAnswer) => void;

interface Waiting {
  readonly done: Done;
  readonly giveUpAt: number;
}

/** A sweep times requests out, instead of a timer for each: thousands of timers are expensive. */
const SWEEP_MS = 50;

class Connection {
  done: Done | undefined;
  giveUpAt = 0;
  readonly socket: Socket;
  readonly opened: Promise<void>;

  constructor(
    target: LoadTarget,
    onAnswer: (connection: Connection, end: ResponseEnd) => void,
    onLost: (connection: Connection, error: Error) => void,
  ) {
    this.socket = open(target);
    const reader = new ResponseReader((end) => onAnswer(this, end));
    let failure: Error | undefined;
    this.socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (error) {
        this.socket.destroy(error as Error);
      }
    });
    this.socket.on('error', (error: Error) => {
      failure = error;
    });
    this.socket.on('close', () => {
      if (!reader.ended()) onLost(this, failure ?? new Error('the server closed the connection'));
    });
    this.opened = new Promise((resolve, reject) => {
      this.socket.once(target.tls === undefined ? 'connect' : 'secureConnect', resolve);
      this.socket.once('close', () => reject(failure ?? new Error('closed')));
    });
    this.opened.catch(() => undefined);
  }
}

function open({ host, port, tls }: LoadTarget): Socket {
  if (tls === undefined) return connect({ host, port, noDelay: true });
  const socket = connectSecurely({
    ...connectOptions(tls),
    host,
    port,
    // An IP address is not a server name.
    ...(isIP(host) === 0 ? { servername: host } : {}),
  });
  return socket.setNoDelay(true);
}

export function createHttpSender(target: LoadTarget, maxConnections: number): Sender {
  const requests = target.bodies.map((body) => requestBytes(target, body));
  const idle: Connection[] = [];
  const open = new Set<Connection>();
  const waiting: Waiting[] = [];
  let next = 0;

  const start = (connection: Connection, done: Done, giveUpAt: number): void => {
    connection.done = done;
    connection.giveUpAt = giveUpAt;
    const request = requests[next] ?? Buffer.alloc(0);
    next = (next + 1) % requests.length;
    connection.socket.write(request);
  };

  const finish = (connection: Connection, answer: WireAnswer): void => {
    const { done } = connection;
    connection.done = undefined;
    done?.(answer);
  };

  const onAnswer = (connection: Connection, end: ResponseEnd): void => {
    const answer = answerOf(end);
    if (end.closes) {
      open.delete(connection);
      connection.socket.destroy();
    }
    finish(connection, answer);
    if (end.closes) {
      serveWaiting();
      return;
    }
    const first = waiting.shift();
    if (first === undefined) idle.push(connection);
    else start(connection, first.done, first.giveUpAt);
  };

  const onLost = (connection: Connection, error: Error): void => {
    open.delete(connection);
    const index = idle.indexOf(connection);
    if (index >= 0) idle.splice(index, 1);
    const reason = (error as NodeJS.ErrnoException).code ?? 'connection lost';
    finish(connection, { outcome: 'failed', reason });
    serveWaiting();
  };

  const add = (): Connection => {
    const connection = new Connection(target, onAnswer, onLost);
    open.add(connection);
    return connection;
  };

  const serveWaiting = (): void => {
    while (open.size < maxConnections) {
      const first = waiting.shift();
      if (first === undefined) return;
      start(add(), first.done, first.giveUpAt);
    }
  };

  const sweep = setInterval(() => {
    const now = performance.now();
    for (const connection of open) {
      if (connection.done === undefined || connection.giveUpAt > now) continue;
      finish(connection, { outcome: 'failed', reason: 'timeout' });
      connection.socket.destroy();
    }
    while ((waiting[0]?.giveUpAt ?? Number.POSITIVE_INFINITY) <= now) {
      waiting.shift()?.done({ outcome: 'failed', reason: 'timeout' });
    }
  }, SWEEP_MS);

  return {
    send(done, timeoutMs) {
      const giveUpAt = performance.now() + timeoutMs;
      const connection = idle.pop() ?? (open.size < maxConnections ? add() : undefined);
      if (connection === undefined) waiting.push({ done, giveUpAt });
      else start(connection, done, giveUpAt);
    },
    async warm(connections) {
      const added = Array.from({ length: Math.min(connections, maxConnections) }, add);
      await Promise.all(added.map((connection) => connection.opened));
      idle.push(...added);
    },
    close() {
      clearInterval(sweep);
      for (const connection of open) connection.socket.destroy();
    },
  };
}

function requestBytes(target: LoadTarget, body: Uint8Array): Buffer {
  const headers = Object.entries(target.headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const head = `POST ${target.path} HTTP/1.1\r\nhost: ${target.host}:${target.port}\r\n${headers}content-length: ${body.byteLength}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), body]);
}

function answerOf(end: ResponseEnd): WireAnswer {
  if (end.status >= 200 && end.status < 300) return ANSWERED;
  const refused = end.status === 429 || end.status === 503;
  return { outcome: refused ? 'refused' : 'failed', reason: reasonOf(end) };
}

/** The error code in Skein's error bodies; else the status. */
function reasonOf(end: ResponseEnd): string {
  const code = /"code"\s*:\s*"([A-Z_]{1,64})"/.exec(end.body.toString('latin1'));
  return code?.[1] ?? `HTTP ${end.status}`;
}
