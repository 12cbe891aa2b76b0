/** The response cache of a deployment on a real node: equal requests run once, and no answer outlives its version. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mlp } from '@skein/onnx';
import { startNodeProcess, type NodeProcess } from '../testing/node-process.ts';

let node: NodeProcess;
beforeAll(async () => {
  node = await startNodeProcess();
});
afterAll(() => node[Symbol.asyncDispose]());

/** One node serves the deployments of all cases, more than it has cores. */
const LONG = { objective: { latencyMs: 30_000 }, oversubscribe: true };

async function ask(name: string, first: number): Promise<{ version: string; y: number[] }> {
  const x = { shape: [1, 4], data: Float32Array.of(first, -2, 3, -4) };
  const { version, outputs } = await node.client.infer(name, { x });
  return { version: version!, y: [...(outputs['y']!.data as Float32Array)] };
}

/** Runs and hits so far, from the protocol's statistics. */
async function counts(name: string): Promise<{ runs: number; hits: number }> {
  const response = await fetch(`${node.url}/v2/models/${name}/stats`);
  const { model_stats } = (await response.json()) as {
    model_stats: {
      execution_count: number;
      inference_stats: { cache_hit: { count: number } };
    }[];
  };
  return {
    runs: model_stats.reduce((sum, { execution_count }) => sum + execution_count, 0),
    hits: model_stats.reduce((sum, stats) => sum + stats.inference_stats.cache_hit.count, 0),
  };
}

it('equal requests run once, also concurrent ones, and different requests run', async () => {
  await node.deploy('cached', mlp({ sizes: [4, 8, 3], seed: 1 }), { ...LONG, cache: {} });
  await node.deploy('plain', mlp({ sizes: [4, 8, 3], seed: 1 }), LONG);
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask('cached', 1)));
  for (const { y } of answers) expect(y).toEqual((await ask('plain', 1)).y);
  expect(await counts('cached')).toEqual({ runs: 1, hits: 19 });
  expect((await ask('cached', 2)).y).toEqual((await ask('plain', 2)).y);
  expect(await counts('cached')).toEqual({ runs: 2, hits: 19 });
});

it('a new version, and the old one after a rollback, give their own answers', async () => {
  await node.deploy('versions', mlp({ sizes: [4, 8, 3], seed: 1 }), { ...LONG, cache: {} });
  const old = await ask('versions', 1);
  expect(await ask('versions', 1)).toEqual(old);
  await node.deploy('versions', mlp({ sizes: [4, 8, 3], seed: 2 }));
  const fresh = await ask('versions', 1);
  expect(fresh.version).toBe('2');
  expect(fresh.y).not.toEqual(old.y);
  await node.client.rollback({ name: 'versions', reason: 'try it' });
  expect(await ask('versions', 1)).toEqual(old);
});

it('an answer is reused for its time to live, and the cache can be turned off', async () => {
  await node.deploy('ageing', mlp({ sizes: [4, 8, 3], seed: 1 }), {
    ...LONG,
    cache: { ttlMs: 300 },
  });
  await ask('ageing', 1);
  await expect
    .poll(
      async () => {
        await ask('ageing', 1);
        return (await counts('ageing')).runs;
      },
      { timeout: 10_000 },
    )
    .toBe(2);
  await node.client.changeSettings({ name: 'ageing', settings: { cache: null } });
  const { runs } = await counts('ageing');
  await ask('ageing', 1);
  await ask('ageing', 1);
  expect((await counts('ageing')).runs).toBe(runs + 2);
});

it('refusals are not cached', async () => {
  await node.deploy('strict', mlp({ sizes: [4, 8, 3], seed: 1 }), {
    ...LONG,
    cache: {},
    finiteOnly: true,
  });
  for (let i = 0; i < 2; i++) {
    await expect(ask('strict', Number.NaN)).rejects.toMatchObject({ code: 'INPUT_NOT_FINITE' });
  }
  await node.client.changeSettings({ name: 'strict', settings: { finiteOnly: false } });
  expect((await ask('strict', Number.NaN)).y).toEqual([Number.NaN, Number.NaN, Number.NaN]);
});
