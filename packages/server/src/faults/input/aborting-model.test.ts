/** Models that crash their process, and processes that are killed: with `--isolation process` this costs a retry. */
import { afterEach, expect, it } from 'vitest';
import { GraphBuilder, type Model } from '@skein/onnx';
import { counting } from '../../../../runtime/src/testing/models.ts';

import { replicaProcessesOf } from '../../testing/replica-processes.ts';
import { startNodeProcess, type NodeProcess } from '../../testing/node-process.ts';

/** Long enough for every retry on a busy machine. */
const settings = {
  isolation: 'process',
  objective: { latencyMs: 120_000 },
  replicas: { min: 1, max: 1 },
} as const;

let node: NodeProcess;
afterEach(() => node[Symbol.asyncDispose]());

it.skipIf(process.platform !== 'linux')(
  'requests of a process that is killed in the middle of a run are run again, and none is lost',
  { timeout: 60_000 },
  async () => {
    node = await startNodeProcess();
    await node.deploy('counting', counting(), settings);
    const target = async () => (await node.client.getDeployment({ name: 'counting' })).targets[0]!;

    const requests = Array.from({ length: 12 }, async (_, index) => {
      const rounds = 20_000 + index;
      const { outputs } = await node.client.infer('counting', {
        rounds: { shape: [], data: BigInt64Array.of(BigInt(rounds)) },
        x: { shape: [], data: Float32Array.of(0) },
      });
      expect(outputs['y']!.data[0]).toBe(rounds);
    });
    const signals = ['SIGKILL', 'SIGSEGV', 'SIGABRT'] as const;
    let answered = 0;
    for (const signal of signals) {
      // No request is sent twice: between two kills at least one is answered.
      await expect
        .poll(
          async () => {
            const { answered: now, replicas } = await target();
            return now >= answered && replicas.some(({ busy }) => busy);
          },
          { timeout: 30_000, interval: 5 },
        )
        .toBe(true);
      const children = replicaProcessesOf(node.pid);
      expect(children).toHaveLength(1);
      process.kill(children[0]!, signal);
      answered = (await target()).answered + 1;
    }
    await Promise.all(requests);

    const { refused, replicas, answered: total } = await target();
    expect([total, refused]).toEqual([requests.length, {}]);
    expect(replicas.map(({ failure }) => failure).filter(Boolean)).toEqual(
      signals.toReversed().map((signal) => expect.stringContaining(signal) as unknown),
    );
    const { entries } = await node.client.deploymentHistory({
      name: 'counting',
      kind: 'replica-lost',
    });
    expect(entries.map(({ reason }) => reason)).toEqual(
      signals.toReversed().map((signal) => expect.stringContaining(signal) as unknown),
    );
  },
);

/** y = a / b in int32, which x86 ends with SIGFPE for −2³¹ / −1: ONNX Runtime checks for zeros only. */
function division(): Model {
  const graph = new GraphBuilder('division');
  graph.input('a', 'int32', ['n']);
  graph.input('b', 'int32', ['n']);
  graph.node('Div', ['a', 'b'], {}, { outputs: ['y'] });
  graph.output('y', 'int32', ['n']);
  return graph.model();
}

it.skipIf(process.arch !== 'x64')(
  'a request that crashes its process fails no other request, however often it is sent',
  { timeout: 60_000 },
  async () => {
    node = await startNodeProcess();
    await node.deploy('division', division(), settings);
    const divide = async (a: number, b: number) => {
      const { outputs } = await node.client.infer('division', {
        a: { shape: [1], data: Int32Array.of(a) },
        b: { shape: [1], data: Int32Array.of(b) },
      });
      return outputs['y']!.data[0];
    };
    for (let round = 0; round < 6; round++) {
      const poison = divide(-(2 ** 31), -1).then(
        () => 'answered',
        ({ code }: { code: string }) => code,
      );
      const others = await Promise.all(
        Array.from({ length: 20 }, (_, index) => divide(6 * (index + 1), 3)),
      );
      expect(others).toEqual(Array.from({ length: 20 }, (_, index) => 2 * (index + 1)));
      // It has ended two replicas; requests with the same inputs are now rejected.
      expect(await poison).toBe(round === 0 ? 'REPLICA_LOST' : 'REQUEST_QUARANTINED');
    }
    const { status, targets } = await node.client.getDeployment({ name: 'division' });
    expect(status).toBe('ready');
    expect(targets[0]).toMatchObject({
      answered: 120,
      refused: { REPLICA_LOST: 1, REQUEST_QUARANTINED: 5 },
    });
    expect(targets[0]!.replicas.at(-1)!.failure).toContain('SIGFPE');
  },
);

it.skipIf(process.arch !== 'x64')(
  'a version that has only run requests that crash it still serves other requests',
  { timeout: 90_000 },
  async () => {
    node = await startNodeProcess();
    await node.deploy('division', division(), { ...settings, batching: { maxRows: 1 } });
    const divide = (a: number[], b: number[]) =>
      node.client.infer('division', {
        a: { shape: [a.length], data: Int32Array.from(a) },
        b: { shape: [a.length], data: Int32Array.from(b) },
      });
    // Four different ones; each of them ends two replicas: eight failures are what fails a version
    // whose replicas do not start.
    for (let other = 1; other <= 4; other++) {
      await expect(divide([-(2 ** 31), other], [-1, 1])).rejects.toMatchObject({
        code: 'REPLICA_LOST',
      });
    }
    const { outputs } = await divide([84], [2]);
    expect(outputs['y']!.data[0]).toBe(42);
    for (let other = 1; other <= 4; other++) {
      await expect(divide([-(2 ** 31), other], [-1, 1])).rejects.toMatchObject({
        code: 'REQUEST_QUARANTINED',
      });
    }
    const { status, targets } = await node.client.getDeployment({ name: 'division' });
    expect(status).toBe('ready');
    expect(targets[0]).toMatchObject({
      answered: 1,
      refused: { REPLICA_LOST: 4, REQUEST_QUARANTINED: 4 },
    });
    const { entries } = await node.client.deploymentHistory({
      name: 'division',
      kind: 'replica-lost',
    });
    expect(entries).toHaveLength(8);
  },
);
