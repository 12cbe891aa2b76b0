/**
 * Sends unary gRPC calls over node:http2: the length-prefixed message is one prepared buffer, and
 * calls share a few connections, as gRPC channels do. Only the trailers are parsed; the message of
 * the response is discarded.
 * (PROTOCOL-HTTP2.md of grpc: frame header, `te: trailers`, `grpc-status`.)
 */
import { connect, constants, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';
import { connectOptions } from './trust.ts';
import { ANSWERED, type LoadTarget, type Sender, type WireAnswer } from '../target.ts';

/** google.rpc.Code values that mean lack of capacity. */
const RESOURCE_EXHAUSTED = 8;
const UNAVAILABLE = 14;
/** Calls on one connection before the next is opened; servers commonly allow a hundred. */
export const SHARED_CONNECTION_CALLS = 64;

interface Channel {
  readonly session: ClientHttp2Session;
  calls: number;
  lost: boolean;
}

/** @param callsPerConnection calls that share a connection before the next one is opened. */
export function createGrpcSender(
  target: LoadTarget,
  maxConnections: number,
  callsPerConnection = SHARED_CONNECTION_CALLS,
): Sender {
  const frames = target.bodies.map(frame);
  const host = target.host.includes(':') ? `[${target.host}]` : target.host;
  const authority = `${host}:${target.port}`;
  const channels: Channel[] = [];
  let next = 0;

  const open = (): Channel => {
    const session = connect(
      `${target.tls === undefined ? 'http' : 'https'}://${authority}`,
      target.tls === undefined ? {} : connectOptions(target.tls),
    );
    const channel: Channel = { session, calls: 0, lost: false };
    const lose = (): void => {
      channel.lost = true;
      const index = channels.indexOf(channel);
      if (index >= 0) channels.splice(index, 1);
    };
    session.on('error', lose);
    session.on('close', lose);
    session.on('goaway', lose);
    channels.push(channel);
    return channel;
  };

  /** The least used connection, or a new one when all are well used. */
  const pick = (): Channel => {
    let best: Channel | undefined;
    for (const channel of channels) {
      if (best === undefined || channel.calls < best.calls) best = channel;
    }
    const crowded = best === undefined || best.calls >= callsPerConnection;
    if (best === undefined || (crowded && channels.length < maxConnections)) return open();
    return best;
  };

  return {
    send(done, timeoutMs) {
      const channel = pick();
      channel.calls += 1;
      let finished = false;
      const finish = (answer: WireAnswer): void => {
        if (finished) return;
        finished = true;
        clearTimeout(timer);
        channel.calls -= 1;
        done(answer);
      };
      const call = channel.session.request({
        ':method': 'POST',
        ':path': target.path,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...target.headers,
      });
      const timer = setTimeout(() => {
        finish({ outcome: 'failed', reason: 'timeout' });
        call.close(constants.NGHTTP2_CANCEL);
      }, timeoutMs);
      // A refusal may come as headers alone, without a message ("trailers-only").
      call.on('response', (headers) => {
        if (headers['grpc-status'] !== undefined) finish(answerOf(headers));
      });
      call.on('trailers', (trailers) => finish(answerOf(trailers)));
      call.on('error', (error: NodeJS.ErrnoException) =>
        finish({ outcome: 'failed', reason: error.code ?? 'connection lost' }),
      );
      call.on('close', () => finish({ outcome: 'failed', reason: 'no status' }));
      call.resume();
      call.end(frames[next]);
      next = (next + 1) % frames.length;
    },
    async warm(connections) {
      const wanted = Math.min(maxConnections, Math.ceil(connections / callsPerConnection));
      const opened = Array.from({ length: wanted }, open);
      await Promise.all(
        opened.map(
          ({ session }) =>
            new Promise<void>((resolve, reject) => {
              session.once('connect', () => resolve());
              session.once('error', reject);
            }),
        ),
      );
    },
    close() {
      for (const { session } of channels.splice(0)) session.destroy();
    },
  };
}

function frame(message: Uint8Array): Buffer {
  const framed = Buffer.alloc(5 + message.byteLength);
  framed.writeUInt32BE(message.byteLength, 1);
  framed.set(message, 5);
  return framed;
}

function answerOf(headers: IncomingHttpHeaders): WireAnswer {
  const status = Number(headers['grpc-status']);
  if (status === 0) return ANSWERED;
  const refused = status === RESOURCE_EXHAUSTED || status === UNAVAILABLE;
  const code = headers['skein-code'];
  return {
    outcome: refused ? 'refused' : 'failed',
    reason: typeof code === 'string' ? code : `gRPC ${status}`,
  };
}
