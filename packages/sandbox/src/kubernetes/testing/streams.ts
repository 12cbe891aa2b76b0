/** `exec`, `attach` and `log` of the test cluster: streams of containers over WebSockets and HTTP. */
import { Buffer } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { PassThrough } from 'node:stream';
import type Docker from 'dockerode';
import { WebSocketServer, type WebSocket } from 'ws';

const [STDIN, STDOUT, STDERR, STATUS, CLOSE] = [0, 1, 2, 3, 255] as const;
const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];

const sockets = new WebSocketServer({
  noServer: true,
  handleProtocols: (asked) => PROTOCOLS.find((each) => asked.has(each)) ?? false,
});

/** Joins a WebSocket with a program of a container, or with its process 1. */
export function joinStreams(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  docker: Docker,
  container: Docker.Container,
  query: URLSearchParams,
): void {
  sockets.handleUpgrade(request, socket, head, (client) => {
    const argv = query.getAll('command');
    // Frames that the client sends meanwhile wait.
    client.pause();
    const joined = argv.length === 0 ? attach(container) : exec(container, argv);
    joined.then(
      ({ stream, exitCode }) => join(client, docker, stream, exitCode),
      (error: unknown) => {
        finish(client, { status: 'Failure', reason: 'InternalError', message: String(error) });
      },
    );
  });
}

interface Joined {
  readonly stream: Duplex;
  readonly exitCode: () => Promise<number>;
}

async function exec(container: Docker.Container, argv: readonly string[]): Promise<Joined> {
  const made = await container.exec({
    Cmd: [...argv],
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await made.start({ hijack: true, stdin: true });
  const exitCode = async (): Promise<number> => {
    // The streams may end a moment before the engine has the status.
    for (;;) {
      const { Running, ExitCode } = await made.inspect();
      if (!Running && ExitCode !== null) return ExitCode;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  return { stream, exitCode };
}

async function attach(container: Docker.Container): Promise<Joined> {
  const stream = await container.attach({
    stream: true,
    stdin: true,
    stdout: true,
    stderr: true,
    hijack: true,
  });
  return { stream: stream as Duplex, exitCode: async () => 0 };
}

function join(
  client: WebSocket,
  docker: Docker,
  stream: Duplex,
  exitCode: () => Promise<number>,
): void {
  const [out, err] = [new PassThrough(), new PassThrough()];
  (
    docker.modem as { demuxStream(from: Duplex, out: PassThrough, err: PassThrough): void }
  ).demuxStream(stream, out, err);
  const pass = (from: PassThrough, channel: number): Promise<void> =>
    new Promise((resolve) => {
      from.on('data', (chunk: Buffer) => {
        from.pause();
        client.send(Buffer.concat([Buffer.from([channel]), chunk]), () => from.resume());
      });
      from.on('end', resolve);
    });
  const passed = Promise.all([pass(out, STDOUT), pass(err, STDERR)]);
  const over = (): void => {
    out.end();
    err.end();
  };
  stream.on('end', over);
  stream.on('close', over);
  stream.on('error', over);
  client.on('message', (message: Buffer) => {
    const channel = message[0];
    if (channel === STDIN && stream.writable) {
      if (!stream.write(message.subarray(1)) && !client.isPaused) {
        client.pause();
        stream.once('drain', () => client.resume());
      }
    } else if (channel === CLOSE && message[1] === STDIN) stream.end();
  });
  client.on('close', () => stream.destroy());
  client.resume();
  void passed.then(async () => {
    if (client.readyState !== client.OPEN) return;
    const code = await exitCode().catch(() => 137);
    finish(
      client,
      code === 0
        ? { status: 'Success' }
        : {
            status: 'Failure',
            reason: 'NonZeroExitCode',
            message: `command terminated with non-zero exit code: exit status ${code}`,
            details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
          },
    );
  });
}

function finish(client: WebSocket, status: Record<string, unknown>): void {
  // It may wait for a program that had not read all of its stdin; only a client that is read can close.
  client.removeAllListeners('message');
  client.resume();
  const text = JSON.stringify({ metadata: {}, ...status });
  client.send(Buffer.concat([Buffer.from([STATUS]), Buffer.from(text)]), () => client.close(1000));
}

/** Sends what a container has printed, and with `follow` what it prints until its end. */
export async function sendLog(
  response: ServerResponse,
  docker: Docker,
  container: Docker.Container,
  follow: boolean,
): Promise<void> {
  const both = new PassThrough();
  response.writeHead(200, { 'content-type': 'text/plain' });
  both.pipe(response);
  const options = { stdout: true, stderr: true } as const;
  if (follow) {
    const stream = await container.logs({ ...options, follow: true });
    docker.modem.demuxStream(stream, both, both);
    stream.on('end', () => both.end());
    response.on('close', () => (stream as unknown as Duplex).destroy());
    return;
  }
  const frames = await container.logs(options);
  for (let at = 0; at + 8 <= frames.length;) {
    const size = frames.readUInt32BE(at + 4);
    both.write(frames.subarray(at + 8, at + 8 + size));
    at += 8 + size;
  }
  both.end();
}
