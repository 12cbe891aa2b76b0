/** What the node adds to a bare `session.run` at one connection: p50, binary protocol. */
import { connect, type Socket } from 'node:net';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { quantile } from '../harness/statistics.ts';
import { binaryBody, type BenchModel } from './models.ts';
import type { SkeinNode } from './servers.ts';

const BARE = { executionProviders: ['cpu'], intraOpNumThreads: 1, interOpNumThreads: 1 } as const;

export async function bareSession(model: BenchModel): Promise<InferenceSession> {
  return InferenceSession.create(model.path, BARE);
}

/** One keep-alive connection that sends the same bytes and waits for the whole answer. */
function oneConnection(
  port: number,
): Promise<{ request(bytes: Uint8Array): Promise<void>; close(): void }> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(port, '127.0.0.1');
    socket.setNoDelay(true);
    socket.once('error', reject);
    let received = '';
    let answered: (() => void) | undefined;
    let failed: ((error: Error) => void) | undefined;
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      const end = received.indexOf('\r\n\r\n');
      if (end === -1) return;
      const length = Number(/content-length: (\d+)/i.exec(received)?.[1]);
      if (received.length < end + 4 + length) return;
      const ok = received.startsWith('HTTP/1.1 200');
      const head = received.slice(0, 200);
      received = '';
      if (ok) answered?.();
      else failed?.(new Error(`The node answered: ${head}`));
    });
    socket.once('connect', () => {
      resolve({
        request: (bytes) =>
          new Promise((done, fail) => {
            answered = done;
            failed = fail;
            socket.write(bytes);
          }),
        close: () => socket.destroy(),
      });
    });
  });
}

async function p50(samples: number, once: () => Promise<unknown>): Promise<number> {
  for (let i = 0; i < samples / 5; i += 1) await once();
  const times: number[] = [];
  for (let i = 0; i < samples; i += 1) {
    const begun = performance.now();
    await once();
    times.push(performance.now() - begun);
  }
  return quantile(times, 0.5);
}

export interface AddedLatency {
  readonly addedMs: number;
  readonly bareMs: number;
  readonly servedMs: number;
}

export async function measureAddedLatency(
  node: SkeinNode,
  model: BenchModel,
  rounds: number,
  samples: number,
): Promise<AddedLatency> {
  const session = await bareSession(model);
  const { bytes, headers } = binaryBody(model);
  const head = [
    `POST /v2/models/${model.name}/infer HTTP/1.1`,
    `host: 127.0.0.1:${node.port}`,
    `content-length: ${bytes.length}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    '\r\n',
  ].join('\r\n');
  const request = Buffer.concat([Buffer.from(head, 'latin1'), bytes]);
  const connection = await oneConnection(node.port);
  const feeds = { [model.input]: new Tensor('float32', model.row, model.shape) };
  const bare: number[] = [];
  const served: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    bare.push(await p50(samples, () => session.run(feeds)));
    served.push(await p50(samples, () => connection.request(request)));
  }
  connection.close();
  await session.release();
  const [bareMs, servedMs] = [quantile(bare, 0.5), quantile(served, 0.5)];
  return { addedMs: servedMs - bareMs, bareMs, servedMs };
}
