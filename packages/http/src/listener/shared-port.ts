/**
 * One port for two protocols: a connection is handed to the server whose protocol it speaks.
 *
 * A client that expects HTTP/2 in advance begins with a fixed preface (RFC
 * 9113, section 3.4). Its first three bytes begin no method of HTTP/1.1, so they decide. Over TLS
 * the client names its protocols in the handshake, and HTTP/2 is chosen only if it offers nothing
 * else: browsers and curl offer both, and the other server answers gRPC alone.
 *
 * Only the first bytes of a connection pass through here. Afterwards its own server reads it, as if
 * it had accepted it.
 */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/** In the order of preference. */
export const SHARED_ALPN = ['http/1.1', 'h2'];

const PREFACE = Buffer.from('PRI');

export interface PeekOptions {
  /** Longest time between two of the first bytes, in milliseconds. */
  readonly timeoutMs: number;
  /** @param head the bytes that have been read: the next server must get them first. */
  onHttp1(head: Buffer): void;
  /** Absent: the port speaks HTTP/1.1 alone. */
  readonly onHttp2?: ((head: Buffer) => void) | undefined;
  /** The first bytes came too slowly, or the client ended its side between them. */
  onBroken(code: 'ERR_HTTP_REQUEST_TIMEOUT' | 'HPE_INVALID_EOF_STATE'): void;
}

/** Reads the first bytes of a plain connection, and calls one of the callbacks at most once. */
export function peek(socket: Socket, options: PeekOptions): void {
  let head: Buffer | undefined;

  function onData(chunk: Buffer): void {
    head = head === undefined ? chunk : Buffer.concat([head, chunk]);
    const isHttp2 = options.onHttp2 !== undefined && beginsLikePreface(head);
    if (isHttp2 && head.length < PREFACE.length) return;
    stop();
    if (isHttp2) options.onHttp2?.(head);
    else options.onHttp1(head);
  }
  function onEnd(): void {
    stop();
    if (head === undefined) socket.destroy();
    else options.onBroken('HPE_INVALID_EOF_STATE');
  }
  function onTimeout(): void {
    stop();
    options.onBroken('ERR_HTTP_REQUEST_TIMEOUT');
  }
  /** The socket closes automatically; without a listener, the process would end. */
  function onError(): void {}
  function stop(): void {
    socket.setTimeout(0);
    socket.off('timeout', onTimeout);
    socket.off('data', onData);
    socket.off('end', onEnd);
    socket.off('error', onError);
  }

  socket.on('error', onError);
  socket.on('end', onEnd);
  socket.setTimeout(options.timeoutMs, onTimeout);
  socket.on('data', onData);
}

function beginsLikePreface(head: Buffer): boolean {
  for (let at = 0; at < PREFACE.length && at < head.length; at++) {
    if (head[at] !== PREFACE[at]) return false;
  }
  return true;
}

/** Whether the client of a TLS connection chose HTTP/2. */
export function speaksHttp2(socket: Socket): boolean {
  return (socket as TLSSocket).alpnProtocol === 'h2';
}
