/**
 * A running node's gRPC API: messages of its methods, plain and compressed, and frames of HTTP/2.
 */
import { connect as connectTcp } from 'node:net';
import { connect, constants, type IncomingHttpHeaders } from 'node:http2';
import { deflateSync, gzipSync } from 'node:zlib';
import { bytesInput } from '../engine/bytes.ts';
import { protobufInput } from '../engine/protobuf.ts';
import type { Random } from '../engine/random.ts';
import type { Structure, Target } from '../engine/target.ts';
import { GRPC_REQUESTS } from './infer-requests.ts';
import { startLiveNode } from './live-node.ts';

const SERVICE = '/inference.GRPCInferenceService/';
const METHODS = [
  'ModelInfer',
  'ServerLive',
  'ServerReady',
  'ModelReady',
  'ServerMetadata',
  'ModelMetadata',
  'RepositoryIndex',
  'ModelStatistics',
  'ModelStreamInfer',
].map((name) => `${SERVICE}${name}`);
const OTHERS = [
  '/grpc.health.v1.Health/Check',
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
];
const PATHS = [...METHODS, ...OTHERS];
const ENCODINGS = ['identity', 'gzip', 'deflate'] as const;

/** grpc.status: UNKNOWN, INTERNAL, DATA_LOSS are faults of the server. */
const FAULTS = new Set(['2', '13', '15']);
const SILENCE_MS = 1000;

/** A method, an encoding, and the message. */
export async function openGrpc(): Promise<Target> {
  const node = await startLiveNode();
  const session = connect(`http://127.0.0.1:${node.grpcPort}`);
  const names = [0x0a, 4, ...Buffer.from('echo')];
  const seed = (method: number, encoding: number, message: Uint8Array | readonly number[]) =>
    Uint8Array.from([method, encoding, ...message]);
  return {
    seeds: [
      ...GRPC_REQUESTS.flatMap((message) => [seed(0, 0, message), seed(0, 1, message)]),
      ...PATHS.map((_, method) => seed(method, method % 3, names)),
    ],
    structure: callInput(),
    refuses: (error) => error instanceof Refused,
    bounds: { timeMs: 5000 },
    run: (input) =>
      new Promise<void>((resolve, reject) => {
        const encoding = ENCODINGS[(input[1] ?? 0) % ENCODINGS.length]!;
        const stream = session.request({
          [constants.HTTP2_HEADER_METHOD]: 'POST',
          [constants.HTTP2_HEADER_PATH]: PATHS[(input[0] ?? 0) % PATHS.length]!,
          'content-type': 'application/grpc',
          te: 'trailers',
          'grpc-encoding': encoding,
        });
        let status = '';
        let message = '';
        const onHeaders = (headers: IncomingHttpHeaders) => {
          status = headers['grpc-status']?.toString() ?? status;
          message = headers['grpc-message']?.toString() ?? message;
        };
        stream.on('response', onHeaders);
        stream.on('trailers', onHeaders);
        stream.on('error', () => {});
        stream.setTimeout(SILENCE_MS, () => stream.close(constants.NGHTTP2_CANCEL));
        stream.on('close', () => {
          if (status === '0' || status === '') resolve();
          else if (FAULTS.has(status) && !isLibraryRefusal(message))
            reject(new Error(`status ${status}: ${message}`));
          else reject(new Refused());
        });
        stream.resume();
        stream.end(framed(input.subarray(2), encoding));
      }),
    async close() {
      session.destroy();
      await node.close();
    },
  };
}

/** The library itself answers INTERNAL to bytes that do not decompress, or are not a message. */
function isLibraryRefusal(message: string): boolean {
  return /^(Error%20deserializing|Received%20message|Failed%20to%20decompress|Decompression)/.test(
    message,
  );
}

/** The node refused the call with a status for refusals. */
class Refused extends Error {}

function framed(message: Uint8Array, encoding: (typeof ENCODINGS)[number]): Buffer {
  const packed =
    encoding === 'gzip'
      ? gzipSync(message)
      : encoding === 'deflate'
        ? deflateSync(message)
        : message;
  const prefix = Buffer.alloc(5);
  prefix[0] = encoding === 'identity' ? 0 : 1;
  prefix.writeUInt32BE(packed.length, 1);
  return Buffer.concat([prefix, packed]);
}

/** The message changes as one of protocol buffers; the first two bytes now and then. */
function callInput(): Structure {
  const messages = protobufInput();
  const bodies = new WeakMap<readonly Uint8Array[], readonly Uint8Array[]>();
  return {
    mutate(seeds, random) {
      let inner = bodies.get(seeds);
      if (inner === undefined) bodies.set(seeds, (inner = seeds.map((each) => each.subarray(2))));
      const [method = 0, encoding = 0] = random.pick(seeds);
      const message = messages.mutate(inner, random);
      return Uint8Array.from([
        random.oneIn(4) ? random.below(256) : method,
        random.oneIn(4) ? random.below(256) : encoding,
        ...message,
      ]);
    },
    *shrink(input) {
      for (const fewer of messages.shrink(input.subarray(2))) {
        yield Uint8Array.from([...input.subarray(0, 2), ...fewer]);
      }
    },
  };
}

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
};
const END_STREAM = 1;
const END_HEADERS = 4;

/** Frames of HTTP/2, as they are on the wire. */
export async function openHttp2(): Promise<Target> {
  const node = await startLiveNode();
  const headers = (path: string) =>
    hpack([
      [':method', 'POST'],
      [':scheme', 'http'],
      [':path', path],
      [':authority', 'localhost'],
      ['content-type', 'application/grpc'],
      ['te', 'trailers'],
      ['grpc-timeout', '1S'],
    ]);
  const call = (stream: number, path: string, message: Uint8Array) => [
    frame(FRAME.headers, END_HEADERS, stream, headers(path)),
    frame(FRAME.data, END_STREAM, stream, framed(message, 'identity')),
  ];
  const settings = frame(FRAME.settings, 0, 0, Buffer.from([0, 3, 0, 0, 0, 100]));
  const connection = (...frames: readonly Buffer[]) =>
    Buffer.concat([PREFACE, settings, ...frames]);
  return {
    seeds: [
      connection(...call(1, METHODS[0]!, GRPC_REQUESTS[0]!)),
      connection(
        ...call(1, METHODS[1]!, new Uint8Array(0)),
        ...call(3, METHODS[0]!, GRPC_REQUESTS[1]!),
      ),
      connection(
        frame(FRAME.ping, 0, 0, Buffer.alloc(8)),
        frame(FRAME.window, 0, 0, Buffer.from([0, 1, 0, 0])),
        ...call(1, OTHERS[0]!, new Uint8Array(0)),
      ),
      connection(
        ...call(1, METHODS[8]!, GRPC_REQUESTS[0]!),
        frame(FRAME.reset, 0, 1, Buffer.from([0, 0, 0, 8])),
      ),
      connection(
        frame(FRAME.headers, 0, 1, headers(METHODS[1]!).subarray(0, 20)),
        frame(FRAME.continuation, END_HEADERS, 1, headers(METHODS[1]!).subarray(20)),
      ),
    ],
    structure: frameInput(),
    refuses: () => false,
    bounds: { timeMs: 5000 },
    run: (input) =>
      new Promise<void>((resolve) => {
        // This side closes open streams; the test is that the node keeps running.
        const socket = connectTcp({ host: '127.0.0.1', port: node.grpcPort });
        let timer = setTimeout(() => socket.destroy(), 100);
        socket.on('data', () => {
          clearTimeout(timer);
          timer = setTimeout(() => socket.destroy(), 4);
        });
        socket.on('error', () => {});
        socket.on('close', () => {
          clearTimeout(timer);
          resolve();
        });
        socket.write(input);
      }),
    close: () => node.close(),
  };
}

function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Literal fields without an index and without Huffman codes (RFC 7541, §6.2.2). */
function hpack(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  const text = (value: string) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
  return Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]),
  );
}

/** Frames are left out, repeated, moved, and changed inside with their length kept right. */
function frameInput(): Structure {
  const bytes = bytesInput();
  return {
    mutate(seeds, random) {
      const frames = framesOf(random.pick(seeds));
      for (let change = random.below(4); change >= 0; change--) changeFrame(frames, seeds, random);
      const whole = Buffer.concat([PREFACE, ...frames]);
      return random.oneIn(8) ? bytes.mutate([whole], random) : whole;
    },
    shrink: (input) => bytes.shrink(input),
  };

  function changeFrame(frames: Buffer[], seeds: readonly Uint8Array[], random: Random): void {
    const at = random.below(frames.length);
    const chosen = frames[at];
    if (chosen === undefined) return;
    switch (random.below(6)) {
      case 0:
        frames.splice(at, 1);
        return;
      case 1:
        frames.splice(
          random.below(frames.length + 1),
          0,
          ...Array.from({ length: random.oneIn(8) ? 200 : 1 }, () => chosen),
        );
        return;
      case 2:
        frames.splice(at, 0, random.pick(framesOf(random.pick(seeds))));
        return;
      case 3:
        frames[at] = frame(
          random.below(12),
          random.below(256),
          random.pick([0, 1, 2, 3, 5, 2 ** 31 - 1]),
          chosen.subarray(9),
        );
        return;
      default:
        frames[at] = frame(
          chosen[3]!,
          chosen[4]!,
          chosen.readUInt32BE(5),
          bytes.mutate([chosen.subarray(9)], random),
        );
    }
  }
}

function framesOf(connection: Uint8Array): Buffer[] {
  const frames: Buffer[] = [];
  const bytes = Buffer.from(connection);
  for (let at = PREFACE.length; at + 9 <= bytes.length;) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    frames.push(bytes.subarray(at, end));
    at = end;
  }
  return frames;
}
