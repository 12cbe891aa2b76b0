/** Rollouts over three nodes of a fleet, each a process, over a real Redis. */
import { join } from 'node:path';
import { GraphBuilder, tensor, type Model } from '@skein/onnx';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { startRedis, type TestRedis } from '../../../../jobs/src/store/testing/redis-server.ts';
import { type NodeProcess, startNodeProcess } from '../../testing/node-process.ts';

type Plan = NonNullable<Parameters<NodeProcess['deploy']>[3]>;

/** y = x, or its root, which is NaN for what one node is asked. */
function model(kind: 'same' | 'root' | 'double'): Model {
  const graph = new GraphBuilder('rollout');
  const x = graph.input('x', 'float32', ['batch', 1]);
  const [y] =
    kind === 'root'
      ? graph.node('Sqrt', [x], {}, { outputs: ['y'] })
      : graph.node(
          'Mul',
          [
            x,
            graph.initializer(
              'w',
              tensor('float32', [1], Float32Array.of(kind === 'same' ? 1 : 2)),
            ),
          ],
          {},
          { outputs: ['y'] },
        );
  graph.output(y, 'float32', ['batch', 1]);
  return graph.model();
}

async function answerOf({ url }: NodeProcess, x: number): Promise<string> {
  const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 1], data: [x] }];
  const response = await fetch(`${url}/v2/models/risk/infer`, {
    method: 'POST',
    body: JSON.stringify({ inputs }),
  });
  const answer = (await response.json()) as { code?: string; model_version?: string };
  return answer.code ?? answer.model_version ?? String(response.status);
}

describe('a rollout over three nodes', { timeout: 120_000 }, () => {
  let folder: string;
  let redis: TestRedis;
  let nodes: NodeProcess[];

  beforeEach(async () => {
    folder = testFolder();
    redis = await startRedis();
    const args = ['--redis', redis.url, '--blobs', join(folder, 'blobs'), '--queues', 'none'];
    nodes = await Promise.all([0, 1, 2].map(() => startNodeProcess({ args })));
    await nodes[0]!.deploy('risk', model('same'), { objective: { latencyMs: 5000 } });
    await until(async () => (await views()).every((view) => view?.status === 'ready'));
  });
  afterEach(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    await redis.destroy();
  });

  const views = () =>
    Promise.all(
      nodes.map(({ client }) => client.getDeployment({ name: 'risk' }).catch(() => undefined)),
    );
  const versions = async () =>
    (await views()).map((view) => view?.targets.map(({ version }) => version).join());

  /** Polls, and sends each node what only it is asked. */
  async function until(
    condition: () => Promise<boolean>,
    ask?: (index: number) => number,
  ): Promise<void> {
    while (!(await condition())) {
      if (ask !== undefined) {
        await Promise.all(
          nodes.flatMap((node, index) =>
            Array.from({ length: 4 }, () => answerOf(node, ask(index))),
          ),
        );
      }
    }
  }

  it('rolls itself back everywhere on a regression that one node sees in its share', async () => {
    const canary: Plan = { strategy: 'canary', steps: [50], stepMs: 600_000, minRequests: 20 };
    const deployed = await nodes[1]!.deploy('risk', model('root'), undefined, canary);
    expect(deployed.rollout).toMatchObject({ phase: 'shifting', share: 50 });
    await until(
      async () => (await views()).every((view) => view?.rollout?.phase === 'rolled-back'),
      (index) => (index === 2 ? -4 : 4),
    );
    expect(await versions()).toEqual(['1', '1', '1']);
    for (const view of await views()) expect(view?.rollout?.reason).toContain('NaN');
    const { entries } = await nodes[0]!.client.deploymentHistory({ name: 'risk', limit: 20 });
    expect(entries.filter(({ kind }) => kind === 'rolled-back')).toHaveLength(1);
    const evidences = await Promise.all(
      nodes.map(({ client }) => client.rolloutEvidence({ name: 'risk' })),
    );
    const full = evidences.find(({ evidence }) => evidence?.members.length === 3)?.evidence;
    const odd = full?.members.map(({ candidate }) => candidate?.odd ?? 0).sort((a, b) => a - b);
    expect(odd?.slice(0, 2)).toEqual([0, 0]);
    expect(odd?.[2]).toBeGreaterThan(0);
  });

  it('is finished by another member when its leader is killed', async () => {
    const canary: Plan = { strategy: 'canary', steps: [50], stepMs: 3000, minRequests: 10 };
    await nodes[0]!.deploy('risk', model('double'), undefined, canary);
    const members = await Promise.all(
      nodes.map(
        async ({ client }) => (await client.getFleet()).members.find(({ self }) => self)?.id,
      ),
    );
    const { evidence } = await nodes[0]!.client.rolloutEvidence({ name: 'risk' });
    const leader = members.indexOf(evidence?.leader ?? '');
    expect(leader).toBeGreaterThanOrEqual(0);
    await nodes[leader]!.kill();
    nodes.splice(leader, 1);
    await until(
      async () => (await versions()).every((each) => each === '2'),
      () => 4,
    );
    const { entries } = await nodes[0]!.client.deploymentHistory({ name: 'risk', limit: 20 });
    const ends = entries.filter(({ kind }) => /rolled-back|rollout-finished/.test(kind));
    expect(ends.map(({ kind }) => kind)).toEqual(['rollout-finished']);
  });
});
