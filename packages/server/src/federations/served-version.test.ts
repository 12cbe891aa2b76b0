/** The model of a federation, as a client calls it and as the start of another federation. */
import type { FederationView } from '@skein/api';
import { expect, it, onTestFinished } from 'vitest';
import { startFederationNode } from './testing/federation-node.ts';

const PLAN = {
  rounds: 1,
  strategy: { name: 'fedavg' },
  local: { steps: 100, learningRate: 0.5 },
  privacy: { mode: 'none' },
  aggregation: { kind: 'none', coordinatorSeesUpdates: true },
  sites: { minimum: 2, maximum: 2 },
} as const;

it('takes the columns as they stand in the table, and is trained further', async () => {
  const node = await startFederationNode();
  onTestFinished(() => node.close());
  const { client } = node;
  const finish = async ({ id }: FederationView): Promise<FederationView> => {
    const ends = await Promise.all([1, 2].map((seed) => node.join(id, `site-${seed}`, seed)));
    expect(ends.map(({ status }) => status)).toEqual(['finished', 'finished']);
    return node.until(id, ({ version }) => version !== undefined);
  };
  const first = await finish(await node.begin(PLAN));
  const { version = '' } = first;
  await client.deploy({ name: 'risk', version });
  const { signature } = await client.getVersion({ name: 'risk', version });
  expect(signature.inputs.map(({ name, type }) => [name, type])).toEqual([
    ['age', 'float32'],
    ['sex', 'string'],
  ]);
  const answer = await client.infer('risk', {
    age: { type: 'float32', shape: [2], data: Float32Array.of(75, 25) },
    sex: { type: 'string', shape: [2], data: ['1', '0'] },
  });
  const [old, young] = Array.from(Object.values(answer.outputs)[0]!.data, Number);
  expect(old).toBeGreaterThan(0.5);
  expect(young).toBeLessThan(0.5);
  const { data } = first.plan;
  const plan = { ...PLAN, data } as never;
  const again = await client.startFederation({ model: 'risk', version, plan });
  const second = await finish(again);
  expect(Number(second.version)).toBe(Number(version) + 1);
}, 120_000);
