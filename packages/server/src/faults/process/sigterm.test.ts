/**
 * SIGTERM under load: accepted requests are answered, later ones are not, and the node exits with
 * 0. Each request is counted twice: by its client, and in the node's log line of its answer.
 */
import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { Client, credentials, status, type ServiceError } from '@grpc/grpc-js';
import { afterEach, expect, it } from 'vitest';
import type { ErrorBody } from '@skein/api';
import { mlp } from '@skein/onnx';
import { counting } from '../../../../runtime/src/testing/models.ts';
import { Health } from '../../gateway/grpc/proto/health.gen.ts';
import { GRPCInferenceService } from '../../gateway/oip/grpc/proto/inference.gen.ts';
import { call, codec } from '../../testing/grpc-client.ts';
import { startNodeProcess, type NodeProcess } from '../../testing/node-process.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';

let node: NodeProcess;
const closers: (() => void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) close();
  await node[Symbol.asyncDispose]();
});

type Outcome =
  /** 200, or OK. */
  | 'answered'
  /** The node answers that it is draining. */
  | 'NODE_DRAINING'
  /** The connection was not accepted: the node never saw the request. */
  | 'not accepted'
  /** Any other outcome: an accepted request that was not answered. */
  | `lost: ${string}`;

class Count {
  readonly outcomes = new Map<Outcome, number>();

  add(outcome: Outcome): void {
    this.outcomes.set(outcome, this.of(outcome) + 1);
  }

  of(outcome: Outcome): number {
    return this.outcomes.get(outcome) ?? 0;
  }

  get lost(): string[] {
    return [...this.outcomes.keys()].filter((outcome) => outcome.startsWith('lost'));
  }
}

const BODY = JSON.stringify({
  inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }],
});

/** One request on a kept or a new connection; a drain meets both kinds. */
function askOverHttp(agent: Agent | false): Promise<Outcome> {
  return new Promise((resolve) => {
    const outgoing = httpRequest(
      `${node.url}/v2/models/risk/infer`,
      { method: 'POST', agent, headers: { 'content-length': BODY.length } },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('error', (error) => resolve(`lost: ${error.message} in the answer`));
        response.on('end', () => {
          if (response.statusCode === 200) return resolve('answered');
          const { code } = JSON.parse(text) as ErrorBody;
          resolve(code === 'NODE_DRAINING' ? code : `lost: ${code}`);
        });
      },
    );
    // The kernel refuses a new connection, or resets it if the node has not accepted it yet.
    outgoing.on('error', (error) =>
      resolve(outgoing.reusedSocket ? `lost: ${error.message}` : 'not accepted'),
    );
    outgoing.end(BODY);
  });
}

async function askOverGrpc(client: Client): Promise<Outcome> {
  try {
    await call(client, GRPCInferenceService.method.modelInfer, {
      modelName: 'risk',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [1n, 4n] }],
      rawInputContents: [new Uint8Array(16)],
    });
    return 'answered';
  } catch (error) {
    const { code, details, metadata } = error as ServiceError;
    if (metadata.get('skein-code')[0] === 'NODE_DRAINING') return 'NODE_DRAINING';
    if (code === status.UNAVAILABLE && details.includes('ECONNREFUSED')) return 'not accepted';
    return `lost: ${code} ${details}`;
  }
}

/** Sends requests until the node accepts none. */
async function keepAsking(count: Count, ask: () => Promise<Outcome>): Promise<void> {
  for (;;) {
    const outcome = await ask();
    count.add(outcome);
    if (outcome !== 'answered') return;
  }
}

it('accepted requests are answered, over HTTP and gRPC, and the node exits with 0', async () => {
  node = await startNodeProcess({ jobs: true, args: ['--log-level', 'debug'] });
  // Large enough for a queue, and an objective that admits every request.
  await node.deploy('risk', mlp({ sizes: [4, 1024, 1024, 3], seed: 1 }), {
    objective: { latencyMs: 60_000 },
    batching: { maxRows: 1 },
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const client = new Client(node.grpcUrl, credentials.createInsecure());
  closers.push(
    () => agent.destroy(),
    () => client.close(),
  );
  const http = new Count();
  const grpc = new Count();
  const clients = [
    ...Array.from({ length: 8 }, () => keepAsking(http, () => askOverHttp(agent))),
    ...Array.from({ length: 4 }, () => keepAsking(http, () => askOverHttp(false))),
    ...Array.from({ length: 8 }, () => keepAsking(grpc, () => askOverGrpc(client))),
  ];
  await expect.poll(() => http.of('answered'), { timeout: 20_000 }).toBeGreaterThan(100);
  await expect.poll(() => grpc.of('answered'), { timeout: 20_000 }).toBeGreaterThan(50);
  const before = http.of('answered') + grpc.of('answered');
  const ended = node.stop();
  await Promise.all(clients);
  const { code, stderr } = await ended;

  expect(code).toBe(0);
  expect([...http.lost, ...grpc.lost]).toEqual([]);
  const answered = http.of('answered') + grpc.of('answered');
  expect(answered).toBeGreaterThan(before);
  const draining = http.of('NODE_DRAINING') + grpc.of('NODE_DRAINING');
  const logged = (message: string) => stderr.split(`"msg":"${message}"`).length - 1;
  expect([logged('answered'), logged('refused')]).toEqual([answered, draining]);
  expect(http.of('not accepted') + http.of('NODE_DRAINING')).toBe(12);
  expect(grpc.of('not accepted') + grpc.of('NODE_DRAINING')).toBe(8);
});

it('both faces stop accepting requests at the same time, and the queue is drained', async () => {
  node = await startNodeProcess();
  await node.deploy('counting', counting(), {
    objective: { latencyMs: 60_000 },
    replicas: { min: 1, max: 1 },
  });
  const client = new Client(node.grpcUrl, credentials.createInsecure());
  closers.push(() => client.close());
  const rounds = 300_000n;
  let left = 10;
  const queued = Array.from({ length: left }, async (_, index) => {
    const answer = index % 2 === 0 ? countOverHttp() : countOverGrpc();
    expect(await answer).toBe(Number(rounds));
    left--;
  });
  async function countOverHttp(): Promise<unknown> {
    const { outputs } = await node.client.infer('counting', {
      rounds: { shape: [], data: BigInt64Array.of(rounds) },
      x: { shape: [], data: Float32Array.of(0) },
    });
    return outputs['y']!.data[0];
  }
  async function countOverGrpc(): Promise<unknown> {
    const { rawOutputContents } = await call(client, GRPCInferenceService.method.modelInfer, {
      modelName: 'counting',
      inputs: [
        { name: 'rounds', datatype: 'INT64', shape: [] },
        { name: 'x', datatype: 'FP32', shape: [] },
      ],
      rawInputContents: [
        new Uint8Array(BigInt64Array.of(rounds).buffer),
        new Uint8Array(Float32Array.of(0).buffer),
      ],
    });
    return new Float32Array(Uint8Array.from(rawOutputContents[0]!).buffer)[0];
  }
  const target = async () => (await node.client.getDeployment({ name: 'counting' })).targets[0]!;
  await expect.poll(async () => (await target()).queuedRequests).toBe(9);

  const ended = node.stop();
  const refused = async (port: number) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const outcome = await Promise.race([once(socket, 'connect'), once(socket, 'error')]).catch(
      () => 'refused',
    );
    socket.destroy();
    return outcome === 'refused';
  };
  const grpcPort = Number(node.grpcUrl.split(':')[1]);
  await expect.poll(() => refused(node.port), { interval: 5, timeout: 10_000 }).toBe(true);
  await expect.poll(() => refused(grpcPort), { interval: 5, timeout: 10_000 }).toBe(true);
  expect(left).toBeGreaterThan(5);
  await Promise.all(queued);
  expect((await ended).code).toBe(0);
});

it('event streams, watches and idle connections do not delay the end', async () => {
  node = await startNodeProcess();
  await node.deploy('risk', mlp({ sizes: [4, 8, 3], seed: 1 }), {
    objective: { latencyMs: 60_000 },
  });
  const events = await fetch(`${node.url}/api/v1/events`);
  const reader = events.body!.getReader();
  expect((await reader.read()).done).toBe(false);

  const agent = new Agent({ keepAlive: true });
  expect(await askOverHttp(agent)).toBe('answered');
  const silent = connect({ port: node.port, host: '127.0.0.1' });
  await once(silent, 'connect');

  const client = new Client(node.grpcUrl, credentials.createInsecure());
  closers.push(
    () => agent.destroy(),
    () => silent.destroy(),
    () => client.close(),
  );
  const watched = codec(Health.method.watch);
  const watch = client.makeServerStreamRequest(
    watched.path,
    watched.serialize,
    watched.deserialize,
    { service: 'risk' },
  );
  watch.on('error', () => {});
  await once(watch, 'data');
  const streamed = codec(GRPCInferenceService.method.modelStreamInfer);
  const stream = client.makeBidiStreamRequest(
    streamed.path,
    streamed.serialize,
    streamed.deserialize,
  );
  const status = new Promise((resolve) => {
    stream.on('error', ({ metadata }: ServiceError) => resolve(metadata.get('skein-code')));
  });
  stream.write({
    modelName: 'risk',
    inputs: [{ name: 'x', datatype: 'FP32', shape: [1n, 4n] }],
    rawInputContents: [new Uint8Array(16)],
  });
  await once(stream, 'data');

  // A drain cuts off after thirty seconds, longer than this test may take.
  expect((await node.stop()).code).toBe(0);
  expect(await status).toEqual(['NODE_DRAINING']);
  for (;;) if ((await reader.read()).done) break;
});

it('a version that is being deployed is ready or refused when the node ends, and the state has the outcome', async () => {
  const folder = testFolder();
  let answered: string;
  {
    await using first = await startNodeProcess({ folder });
    node = first;
    await node.deploy('risk', mlp({ sizes: [4, 8, 3], seed: 1 }));
    const deploying = node.deploy('risk', mlp({ sizes: [4, 2000, 2000, 3], seed: 2 })).then(
      ({ targets }) => targets[0]!.version,
      ({ code }: { code: string }) => code,
    );
    await expect
      .poll(async () => (await node.client.getDeployment({ name: 'risk' })).rollout?.phase, {
        interval: 1,
      })
      .toBe('warming');
    expect((await node.stop()).code).toBe(0);
    answered = await deploying;
  }
  node = await startNodeProcess({ folder });
  const { status, targets } = await node.client.getDeployment({ name: 'risk' });
  expect(status).toBe('ready');
  expect([answered, targets[0]!.version]).toEqual(
    answered === '2' ? ['2', '2'] : [expect.stringMatching(/^[A-Z_]+$/), '1'],
  );
});
