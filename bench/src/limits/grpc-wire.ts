/** Frames and messages of gRPC by hand, and sessions that send what no client would. */
import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { once } from 'node:events';
import type { Target } from './attack.ts';

export const SERVER_LIVE = '/inference.GRPCInferenceService/ServerLive';
export const SERVER_METADATA = '/inference.GRPCInferenceService/ServerMetadata';
export const MODEL_INFER = '/inference.GRPCInferenceService/ModelInfer';
export const WATCH = '/grpc.health.v1.Health/Watch';

/** No bound: Node does not give back what a cancelled call had still to send. */
const SESSION_MEGABYTES = 1_000_000_000;

export function frame(message: Uint8Array, compressed = false): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(compressed ? 1 : 0);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

export function field(number: number, content: Uint8Array): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(content.length), content]);
}

/** A session that handles every error, so that the attack continues. */
export function openSession(
  { host, grpcPort }: Target,
  initialWindowSize = 65_535,
): ClientHttp2Session {
  const session = connect(`http://${host}:${grpcPort}`, {
    settings: { initialWindowSize },
    maxSessionMemory: SESSION_MEGABYTES,
  });
  // One listener for each of its calls.
  session.setMaxListeners(0);
  session.on('error', () => {});
  return session;
}

export function openCall(
  session: ClientHttp2Session,
  path: string,
  headers: Record<string, string> = {},
): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  stream.on('error', () => {});
  return stream;
}

/** Sends a whole request. @returns its gRPC status; undefined when the node ended it without one. */
export async function request(
  session: ClientHttp2Session,
  path: string,
  body: Uint8Array,
  headers: Record<string, string> = {},
): Promise<string | undefined> {
  const stream = openCall(session, path, headers);
  let status: string | undefined;
  await new Promise<void>((resolve) => {
    const look = (received: Record<string, unknown>): void => {
      if (!('grpc-status' in received)) return;
      status = String(received['grpc-status']);
      // An early answer: what is left of the request is not sent.
      if (!stream.writableFinished) stream.close(constants.NGHTTP2_CANCEL);
      resolve();
    };
    stream.on('response', look);
    stream.on('trailers', look);
    stream.on('close', resolve);
    session.once('close', resolve);
    stream.on('close', () => session.off('close', resolve));
    stream.resume();
    stream.end(body);
  });
  return status;
}

/** Ends a session, and resolves when it is closed. */
export async function endSession(session: ClientHttp2Session): Promise<void> {
  if (session.destroyed) return;
  const closed = once(session, 'close').catch(() => {});
  session.destroy();
  await closed;
}
