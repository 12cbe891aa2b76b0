/** Attacks of a client without a key on the WebSockets of a coordinator. */
import type { Socket } from 'node:net';
import { FEDERATION_PATH } from '@skein/api/federations';
import type { Attack } from './attack.ts';
import { flood, keepUpgraded } from './kept-sockets.ts';

const UPGRADE =
  `GET ${FEDERATION_PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==\r\n\r\n`;
/** The head of a binary frame of a mebibyte, with a mask of zeros. */
const LONG_FRAME = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0]);
const EMPTY_FRAME = Buffer.from([0x82, 0x80, 0, 0, 0, 0]);
const PING_FRAME = Buffer.from([0x89, 0x80, 0, 0, 0, 0]);

function frameOf(payload: Buffer): Buffer {
  const head = Buffer.from([0x82, 0xfe, 0, 0, 0, 0, 0, 0]);
  head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
}

function helloOf(run: string): Buffer {
  const header = Buffer.from(JSON.stringify({ run, key: 'ab'.repeat(32), nonce: 'cd'.repeat(32) }));
  const head = Buffer.from([0x53, 0x4b, 1, 1, 0, 0, 0, 0]);
  head.writeUInt32LE(header.length, 4);
  return frameOf(Buffer.concat([head, header]));
}

/** A frame of a later phase whose header is nested as deep as a stranger's bytes allow. */
function nestedTask(): Buffer {
  const [open, close] = ['['.repeat(2600), ']'.repeat(2600)];
  const header = Buffer.from(`{"fields":{"a":${open}${close}}}`);
  const head = Buffer.from([0x53, 0x4b, 1, 6, 0, 0, 0, 0]);
  head.writeUInt32LE(header.length, 4);
  return frameOf(Buffer.concat([head, header]));
}

/** @param speak called when the WebSocket is open. */
function keep(name: string, speak: (socket: Socket) => void): Attack {
  return { name: `federation: ${name}`, run: keepUpgraded(() => UPGRADE, speak) };
}

let runs = 0;

export const federationAttacks: readonly Attack[] = [
  keep('connections that never greet', () => {}),
  keep('refused connections that stay', (socket) => void socket.write(EMPTY_FRAME)),
  keep('frames that never end', (socket) => {
    socket.write(LONG_FRAME);
    flood(socket, Buffer.alloc(64 * 1024));
  }),
  keep('pings', (socket) => flood(socket, Buffer.concat(Array(2000).fill(PING_FRAME)))),
  keep('greetings of unknown runs', (socket) => void socket.write(helloOf(`f-${runs++}`))),
  keep('nested tasks before a proof', (socket) => void socket.write(nestedTask())),
  keep('resets', (socket) => void socket.resetAndDestroy()),
];
