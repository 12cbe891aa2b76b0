/**
 * The streams of a program in a pod over one WebSocket: `exec` starts the program, `attach` joins
 * process 1 of a container. Both directions wait for a slow reader.
 */
import { Buffer } from 'node:buffer';
import { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type WebSocket from 'ws';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { ClusterError, retryMs, type Cluster } from './cluster.ts';

const [STDIN, STDOUT, STDERR, STATUS, CLOSE] = [0, 1, 2, 3, 255] as const;
/** The protocol whose stdin can end; API servers from Kubernetes 1.30 on have it. */
const PROTOCOL = 'v5.channel.k8s.io';
/** Size of one message, the same as `kubectl`'s, in bytes. */
const MESSAGE_BYTES = 32 * 1024;
const BUFFER_BYTES = 256 * 1024;
/** A connection without an answer for two of these is lost, in milliseconds. */
const BEAT_MS = 15_000;
/** After the status, which comes last, a server may take so long to close the connection, in milliseconds. */
const CLOSE_PATIENCE_MS = 1000;

/** How a program ended, as the API server reports it. */
export interface ChannelStatus {
  readonly status?: string;
  readonly message?: string;
  readonly details?: {
    readonly causes?: readonly { readonly reason?: string; readonly message?: string }[];
  };
}

export interface Channel {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when the connection has ended: with the status, or undefined when there is none. */
  readonly ended: Promise<ChannelStatus | undefined>;
  close(): void;
}

/**
 * @param path of the pod. @param argv of the program; none: attaches to process 1.
 * @throws ClusterError.
 */
export async function openChannel(
  cluster: Cluster,
  path: string,
  container: string,
  argv: readonly string[] = [],
  signal?: AbortSignal,
): Promise<Channel> {
  const query = new URLSearchParams({
    container,
    stdin: 'true',
    stdout: 'true',
    stderr: 'true',
    tty: 'false',
  });
  for (const word of argv) query.append('command', word);
  const url = `${path}/${argv.length === 0 ? 'attach' : 'exec'}?${query.toString()}`;
  let connected: WebSocket | undefined;
  const output = (): Readable =>
    new Readable({
      highWaterMark: BUFFER_BYTES,
      read: () => void (connected?.isPaused && connected.resume()),
    });
  const [stdout, stderr] = [output(), output()];
  let status: ChannelStatus | undefined;
  /** From the first message on, which may arrive with the answer to the request. */
  const receive = (stream: number, bytes: Buffer): void => {
    if (stream === STATUS) {
      status = statusIn(bytes.toString());
      setTimeout(() => connected?.terminate(), CLOSE_PATIENCE_MS).unref();
    }
    const into = stream === STDOUT ? stdout : stream === STDERR ? stderr : undefined;
    if (into === undefined || into.destroyed || bytes.length === 0) return;
    if (!into.push(bytes)) connected?.pause();
  };
  const socket = await connect(cluster, url, signal, receive);
  connected = socket;
  if (socket.protocol !== PROTOCOL) {
    socket.terminate();
    throw new ClusterError(`it does not know ${PROTOCOL}; Kubernetes 1.30 and newer do`, 400);
  }
  const stdin = new Writable({
    highWaterMark: BUFFER_BYTES,
    write: (chunk: Buffer, _encoding, done) => sendAll(socket, chunk, done),
    final: (done) => socket.send(Buffer.from([CLOSE, STDIN]), () => done()),
  });
  // A program may end before it has read its stdin.
  stdin.on('error', () => undefined);

  let isAlive = true;
  socket.on('pong', () => (isAlive = true));
  const beat = setInterval(() => {
    // A paused socket reads no answer.
    if (!isAlive && !socket.isPaused) socket.terminate();
    isAlive = false;
    socket.ping(undefined, undefined, () => undefined);
  }, BEAT_MS);
  beat.unref();
  const ended = new Promise<ChannelStatus | undefined>((resolve) => {
    socket.addEventListener('close', () => {
      clearInterval(beat);
      for (const each of [stdout, stderr]) if (!each.destroyed) each.push(null);
      stdin.destroy();
      resolve(status);
    });
  });
  socket.addEventListener('error', () => undefined);
  return { stdin, stdout, stderr, ended, close: () => socket.terminate() };
}

/** The answer of a proxy in place of the API server is a message. */
function statusIn(text: string): ChannelStatus {
  try {
    return readJson(text, JSON_BOUNDS.answer) as ChannelStatus;
  } catch {
    return { message: text };
  }
}

async function connect(
  { sockets }: Cluster,
  url: string,
  signal: AbortSignal | undefined,
  receive: (stream: number, bytes: Buffer) => void,
): Promise<WebSocket> {
  for (let attempt = 1; ; attempt++) {
    try {
      const socket = await sockets.connect(url, null, (stream, bytes) => {
        receive(stream, bytes);
        return stream !== STATUS;
      });
      return socket;
    } catch (thrown) {
      const message = (thrown as { message?: string }).message ?? String(thrown);
      const status = /Unexpected server response: (\d+)/.exec(message)?.[1];
      const error = new ClusterError(message, status === undefined ? undefined : Number(status));
      const waitMs = retryMs(error, attempt, Math.random());
      signal?.throwIfAborted();
      if (waitMs === undefined) throw error;
      await sleep(waitMs, undefined, { signal });
    }
  }
}

/** One message after the other. */
function sendAll(socket: WebSocket, chunk: Buffer, done: (error?: Error | null) => void): void {
  const message = Buffer.concat([Buffer.from([STDIN]), chunk.subarray(0, MESSAGE_BYTES)]);
  socket.send(message, (error) => {
    if (error || chunk.length <= MESSAGE_BYTES) done(error);
    else sendAll(socket, chunk.subarray(MESSAGE_BYTES), done);
  });
}
