/**
 * Attacks of a client without a key on the HTTP face: holding connections, sending requests that are
 * never complete, and not reading answers. Each keeps its sockets busy until its signal.
 */
import type { Socket } from 'node:net';
import type { Attack } from './attack.ts';
import { flood, keepSockets } from './kept-sockets.ts';

/** Connections of one attack; the same number that kept a node from ending before it was bounded. */
const SOCKETS = 1500;

const keep = (name: string, sockets: number, behave: (socket: Socket) => void): Attack => ({
  name,
  run: keepSockets(sockets, behave),
});

/** Writes a little, again and again. */
function trickle(socket: Socket, text: () => string, everyMs: number): void {
  const timer = setInterval(() => socket.write(text()), everyMs);
  socket.on('close', () => clearInterval(timer));
}

const HOST = 'Host: localhost\r\n';
const PATHS = [
  'POST /v2/models/any/infer',
  'POST /v2/repository/index',
  'POST /v2/repository/models/any/load',
  'POST /api/v1/jobs',
  'PUT /api/v1/models/any/versions',
  'PUT /api/v1/artifacts',
  'POST /api/v1/deployments',
  'PUT /api/v1/runs/any',
  'POST /v1/chat/completions',
  'POST /v1beta/models/any:generateContent',
  'POST /nowhere',
  'POST /docs',
];
/** Answers that need no key, the largest first. */
const LARGE = ['/docs', '/openapi.json', '/console/console.js', '/'];

const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)]!;

const pipeline = (path: string, count: number): Buffer =>
  Buffer.from(`GET ${path} HTTP/1.1\r\n${HOST}\r\n`.repeat(count));

export const httpAttacks: readonly Attack[] = [
  keep('slow headers', SOCKETS, (socket) => {
    socket.resume();
    socket.write(`GET /v2 HTTP/1.1\r\n${HOST}`);
    trickle(socket, () => `X-${Math.random()}: ${'a'.repeat(64)}\r\n`, 1000);
  }),

  keep('huge headers', SOCKETS, (socket) => {
    // Just below what is refused, and never whole.
    socket.resume();
    socket.write(`GET /v2 HTTP/1.1\r\n${HOST}X: ${'a'.repeat(16_000)}`);
  }),

  keep('many small headers', SOCKETS, (socket) => {
    socket.resume();
    const headers = Array.from({ length: 1500 }, (_, index) => `a${index}:\r\n`).join('');
    flood(socket, Buffer.from(`GET /v2 HTTP/1.1\r\n${HOST}${headers}\r\n`));
  }),

  keep('pipelined requests', 200, (socket) => {
    socket.resume();
    flood(socket, pipeline('/v2/health/live', 2000));
  }),

  keep('pipelined requests, unread', SOCKETS, (socket) => {
    socket.pause();
    flood(socket, pipeline('/v2/health/live', 2000));
  }),

  keep('pipelined requests, a few, unread', SOCKETS, (socket) => {
    socket.pause();
    flood(socket, pipeline('/v2/models/any', 32));
  }),

  keep('bodies without a key', 200, (socket) => {
    socket.resume();
    socket.write(`${pick(PATHS)} HTTP/1.1\r\n${HOST}Content-Length: 60000000\r\n\r\n`);
    flood(socket, Buffer.alloc(64 * 1024, 0x20));
  }),

  keep('compressed bodies without a key', 200, (socket) => {
    socket.resume();
    socket.write(
      `${pick(PATHS)} HTTP/1.1\r\n${HOST}Content-Encoding: gzip\r\nContent-Length: 60000000\r\n\r\n`,
    );
    flood(socket, Buffer.alloc(64 * 1024, 0x20));
  }),

  keep('chunks of one byte', 200, (socket) => {
    socket.resume();
    socket.write(`${pick(PATHS)} HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`);
    flood(socket, Buffer.from('1\r\na\r\n'.repeat(10_000)));
  }),

  keep('chunks that trickle', SOCKETS, (socket) => {
    socket.resume();
    socket.write(`${pick(PATHS)} HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`);
    trickle(socket, () => '1\r\na\r\n', 100);
  }),

  keep('bodies that never come', SOCKETS, (socket) => {
    socket.resume();
    socket.write(`${pick(PATHS)} HTTP/1.1\r\n${HOST}Content-Length: 1000\r\n\r\n`);
  }),

  keep('requests that lack their last byte', SOCKETS, (socket) => {
    // Just below the largest request of the reader for whole requests; Node's server gets it when the rest does not come.
    socket.resume();
    const body = Buffer.alloc(63 * 1024, 0x20);
    socket.write(
      `POST /v2/models/any/infer HTTP/1.1\r\n${HOST}Content-Length: ${body.length + 1}\r\n\r\n`,
    );
    socket.write(body);
    setTimeout(() => socket.destroy(), 60);
  }),

  keep('whole requests in a byte a piece', 500, (socket) => {
    socket.resume().setNoDelay(true);
    const body = ' '.repeat(50);
    const request = `POST /v2/models/any/infer HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n\r\n${body}`;
    let at = 0;
    trickle(socket, () => request[at++ % request.length]!, 1);
  }),

  keep('whole requests, answers unread', SOCKETS, (socket) => {
    socket.pause();
    const body = ' '.repeat(60 * 1024);
    const request = `POST /v2/models/any/infer HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n\r\n${body}`;
    trickle(socket, () => request, 100);
  }),

  keep('connections that send nothing', SOCKETS, (socket) => void socket.resume()),

  keep('connections half closed', SOCKETS, (socket) => {
    socket.pause();
    socket.end(`GET /v2 HTTP/1.1\r\n${HOST}Content-Le`);
  }),

  keep('connections kept idle', 3000, (socket) => {
    socket.resume();
    socket.write(`GET /v2 HTTP/1.1\r\n${HOST}\r\n`);
  }),

  keep('connections kept idle after many headers', SOCKETS, (socket) => {
    // Each sends one whole request; the node may keep nothing of it.
    socket.resume();
    const headers = Array.from({ length: 2000 }, (_, index) => `${index}:\r\n`).join('');
    socket.write(`GET /v2 HTTP/1.1\r\n${HOST}${headers}\r\n`);
  }),

  keep('large answers, unread', 1000, (socket) => {
    socket.pause();
    flood(socket, pipeline(pick(LARGE), 20));
  }),

  keep('upgrades and tunnels', 500, (socket) => {
    socket.resume();
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
    socket.write(
      pick([
        `GET /v2 HTTP/1.1\r\n${HOST}${upgrade}Sec-WebSocket-Version: 13\r\n\r\n`,
        `GET /v2 HTTP/1.1\r\n${HOST}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n`,
        `CONNECT localhost:80 HTTP/1.1\r\n${HOST}\r\n`,
        'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
        `TRACE / HTTP/1.1\r\n${HOST}Max-Forwards: 0\r\n\r\n`,
        `POST /v2/models/any/infer HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 9\r\n\r\n`,
        `POST /v2 HTTP/1.1\r\n${HOST}Expect: the unexpected\r\nContent-Length: 9\r\n\r\n`,
      ]),
    );
    flood(socket, Buffer.alloc(16 * 1024, 0x61));
  }),

  keep('malformed bytes', 500, (socket) => {
    socket.resume();
    const bytes = Buffer.from(Array.from({ length: 512 }, () => Math.floor(Math.random() * 256)));
    socket.write(
      pick([
        bytes,
        Buffer.concat([Buffer.from(`GET /v2 HTTP/1.1\r\n${HOST}`), bytes]),
        Buffer.concat([
          Buffer.from(`POST /v2 HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`),
          bytes,
        ]),
        Buffer.from('\x16\x03\x01\x02\x00\x01', 'latin1'),
        Buffer.from(`GET http://[::1 HTTP/1.1\r\n${HOST}\r\n`),
        Buffer.from(`GET /api/v1/${'%'.repeat(4000)} HTTP/1.1\r\n${HOST}\r\n`),
      ]),
    );
  }),

  keep('guessed keys', 500, (socket) => {
    socket.resume();
    const guess = (): Buffer => {
      const id = Math.floor(Math.random() * 2 ** 48)
        .toString(16)
        .padStart(12, '0');
      const authorization = `Authorization: Bearer skein_${id}_${'A'.repeat(43)}\r\n`;
      return Buffer.from(
        `GET /api/v1/${pick(['jobs', 'keys', 'node'])} HTTP/1.1\r\n${HOST}${authorization}\r\n`,
      );
    };
    let answered = 0;
    socket.on('data', () => {
      if (answered++ < 10_000) socket.write(guess());
    });
    socket.write(guess());
  }),
];
