/** A client below the gRPC library, which would handle errors itself: it sends and reads as the test directs. */
import {
  connect,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from 'node:http2';
import { onTestFinished } from 'vitest';
import { MessageReader } from '../grpc/message-framer.ts';

export function rawSession(port: number, initialWindowSize?: number): ClientHttp2Session {
  const settings = initialWindowSize === undefined ? {} : { settings: { initialWindowSize } };
  const session = connect(`http://127.0.0.1:${port}`, settings);
  session.on('error', () => {});
  onTestFinished(() => session.destroy());
  return session;
}

export interface RawCall {
  readonly stream: ClientHttp2Stream;
  /** The headers or trailers that hold the status. */
  readonly status: Promise<IncomingHttpHeaders>;
  /** The error code of HTTP/2 that ended it. */
  readonly closed: Promise<number>;
}

/** @param path of a method, such as `/inference.GRPCInferenceService/ServerLive`. */
export function rawCall(
  session: ClientHttp2Session,
  path: string,
  headers: Record<string, string> = {},
): RawCall {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  stream.on('error', () => {});
  const status = new Promise<IncomingHttpHeaders>((resolve) => {
    stream.on('response', (received) => 'grpc-status' in received && resolve(received));
    stream.on('trailers', resolve);
  });
  const closed = new Promise<number>((resolve) => {
    stream.on('close', () => resolve(stream.rstCode));
  });
  return { stream, status, closed };
}

export function framed(message: Uint8Array, compressed = false): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(compressed ? 1 : 0);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** Repeats bytes. */
export function repeated(bytes: readonly number[], times: number): Buffer {
  return Buffer.alloc(bytes.length * times, Buffer.from(bytes));
}

/** The received messages, with their frames, in a list that grows as they arrive. */
export function messagesOf(stream: ClientHttp2Stream): Buffer[] {
  const reader = new MessageReader(2 ** 31, () => false);
  const messages: Buffer[] = [];
  stream.on('data', (bytes: Buffer) => messages.push(...reader.write(bytes)));
  return messages;
}
