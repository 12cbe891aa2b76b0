/** New versions on a real node under load over HTTP: good ones drop no request, bad ones are rolled back automatically. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { DeploymentView } from '@skein/api';
import { GraphBuilder, mlp, tensor, type Model } from '@skein/onnx';
import { startLoad } from '../testing/load.ts';
import { startNodeProcess, type NodeProcess } from '../testing/node-process.ts';

let node: NodeProcess;
beforeAll(async () => {
  node = await startNodeProcess();
});
afterAll(() => node[Symbol.asyncDispose]());

/** One node serves the deployments of all cases, more than it has cores. */
const LONG = { objective: { latencyMs: 30_000 }, oversubscribe: true };
const X = { shape: [1, 4], data: Float32Array.of(1, -2, 3, -4) };

/** Resolves with the deployment when its rollout has ended. */
async function rolledOut(name: string): Promise<DeploymentView> {
  let view!: DeploymentView;
  await expect
    .poll(
      async () => {
        view = await node.client.getDeployment({ name });
        return view.rollout?.phase;
      },
      { timeout: 30_000 },
    )
    .toMatch(/finished|rolled-back/);
  return view;
}

/** The reason of the newest rollback in the history. */
async function reasonOf(name: string): Promise<string> {
  const { entries } = await node.client.deploymentHistory({ name, kind: 'rolled-back', limit: 1 });
  expect(entries[0]).toMatchObject({ actor: 'skein', details: { from: [{ version: '1' }] } });
  return entries[0]!.reason;
}

it('versions, settings and a rollback change under load, and no request is dropped', async () => {
  const model = (seed: number): Model => mlp({ sizes: [4, 64, 3], seed });
  await node.deploy('swap', model(1), LONG);
  const load = startLoad(16, async () => {
    return (await node.client.infer('swap', { x: X })).version!;
  });
  const seen = async (version: string) => {
    const before = load.of(version);
    await expect.poll(() => load.of(version), { timeout: 10_000 }).toBeGreaterThan(before + 20);
  };
  await seen('1');
  await node.client.changeSettings({ name: 'swap', settings: { batching: { maxRows: 4 } } });
  await seen('1');
  await node.client.changeSettings({ name: 'swap', settings: { isolation: 'process' } });
  await seen('1');
  for (const version of ['2', '3', '4']) {
    await node.deploy('swap', model(Number(version)));
    await seen(version);
  }
  await node.client.rollback({ name: 'swap', reason: 'try it' });
  await seen('3');
  await node.deploy('swap', model(5), undefined, {
    strategy: 'canary',
    steps: [10, 50],
    stepMs: 200,
    minRequests: 5,
  });
  expect((await rolledOut('swap')).rollout).toMatchObject({ phase: 'finished', toVersion: '5' });
  await seen('5');
  await load.stop();
  expect([...load.outcomes.keys()].toSorted()).toEqual(['1', '2', '3', '4', '5']);
});

/** Reads row `i` of a table; an index beyond its rows is an error of the model. */
function lookup(rows: number): Model {
  const graph = new GraphBuilder('lookup');
  const i = graph.input('i', 'int64', ['n']);
  const table = graph.initializer('table', tensor('float32', [rows], new Float32Array(rows)));
  graph.node('Gather', [table, i], {}, { outputs: ['y'] });
  graph.output('y', 'float32', ['n']);
  return graph.model();
}

it('a canary that fails where the old version answers is rolled back', async () => {
  await node.deploy('lookup', lookup(10), LONG);
  const load = startLoad(8, async () => {
    const i = { shape: [1], data: BigInt64Array.of(7n) };
    return (await node.client.infer('lookup', { i })).version!;
  });
  await node.deploy('lookup', lookup(2), undefined, {
    strategy: 'canary',
    steps: [20, 100],
    stepMs: 30_000,
    minRequests: 10,
  });
  const { rollout, targets } = await rolledOut('lookup');
  expect(rollout).toMatchObject({ phase: 'rolled-back', fromVersion: '1', toVersion: '2' });
  expect(targets.map(({ version, weight }) => [version, weight])).toEqual([['1', 100]]);
  expect(await reasonOf('lookup')).toMatch(/^version 2: \d+ of \d+ requests failed, more than/);
  // From here on no request reaches the rolled-back version.
  const rejected = load.of('INPUT_REJECTED');
  const before = load.of('1');
  await expect.poll(() => load.of('1')).toBeGreaterThan(before + 50);
  await load.stop();
  expect(load.of('INPUT_REJECTED') - rejected).toBeLessThanOrEqual(8);
  expect([...load.outcomes.keys()].toSorted()).toEqual(['1', 'INPUT_REJECTED']);
});

/** y = x; it may spend `rounds` of a loop on that. */
function idle(isSlow: boolean): Model {
  const graph = new GraphBuilder('idle');
  const rounds = graph.input('rounds', 'int64', []);
  const x = graph.input('x', 'float32', []);
  if (isSlow) {
    const body = new GraphBuilder('body');
    body.input('round', 'int64', []);
    body.input('going', 'bool', []);
    body.input('value', 'float32', []);
    body.node('Identity', ['going'], {}, { outputs: ['goes_on'] });
    body.node('Abs', ['value'], {}, { outputs: ['next'] });
    body.output('goes_on', 'bool', []);
    body.output('next', 'float32', []);
    graph.initializer('go', tensor('bool', [], new Uint8Array([1])));
    graph.node('Loop', [rounds, 'go', x], { body: { graph: body } }, { outputs: ['y'] });
  } else {
    graph.node('Abs', [x], {}, { outputs: ['y'] });
  }
  graph.output('y', 'float32', []);
  return graph.model();
}

it('a canary that misses the objective is rolled back', async () => {
  await node.deploy('idle', idle(false), { ...LONG, objective: { latencyMs: 200 } });
  const load = startLoad(4, async () => {
    const { version } = await node.client.infer('idle', {
      // More time than the objective allows, for the new version.
      rounds: { shape: [], data: BigInt64Array.of(800_000n) },
      x: { shape: [], data: Float32Array.of(1) },
    });
    return version!;
  });
  await node.deploy('idle', idle(true), undefined, {
    strategy: 'canary',
    steps: [20, 100],
    stepMs: 30_000,
    minRequests: 10,
  });
  const { rollout } = await rolledOut('idle');
  expect(rollout).toMatchObject({ phase: 'rolled-back', toVersion: '2' });
  expect(await reasonOf('idle')).toMatch(/^version 2: \d+ of \d+ requests missed the objective/);
  const before = load.of('1');
  await expect.poll(() => load.of('1')).toBeGreaterThan(before + 50);
  await load.stop();
});

/** y = operator(a, b) in int32; x86 ends a process that divides −2³¹ by −1. */
function integers(operator: 'Div' | 'Mul'): Model {
  const graph = new GraphBuilder(operator);
  graph.input('a', 'int32', ['n']);
  graph.input('b', 'int32', ['n']);
  graph.node(operator, ['a', 'b'], {}, { outputs: ['y'] });
  graph.output('y', 'int32', ['n']);
  return graph.model();
}

it.skipIf(process.arch !== 'x64')('a canary that ends its process is rolled back', async () => {
  await node.deploy('crash', integers('Mul'), { ...LONG, isolation: 'process' });
  const load = startLoad(4, async () => {
    const { version } = await node.client.infer('crash', {
      a: { shape: [1], data: Int32Array.of(-(2 ** 31)) },
      b: { shape: [1], data: Int32Array.of(-1) },
    });
    return version!;
  });
  await node.deploy('crash', integers('Div'), undefined, {
    strategy: 'canary',
    steps: [20, 100],
    stepMs: 30_000,
    minRequests: 3,
  });
  expect((await rolledOut('crash')).rollout?.phase).toBe('rolled-back');
  expect(await reasonOf('crash')).toMatch(/requests failed/);
  const before = load.of('1');
  await expect.poll(() => load.of('1')).toBeGreaterThan(before + 50);
  await load.stop();
  expect(load.of('REPLICA_LOST')).toBeGreaterThanOrEqual(1);
});

it('a canary whose inputs have other names is rolled back', async () => {
  const renamed = (): Model => {
    const graph = new GraphBuilder('renamed');
    const features = graph.input('features', 'float32', ['n', 4]);
    graph.node('Abs', [features], {}, { outputs: ['y'] });
    graph.output('y', 'float32', ['n', 4]);
    return graph.model();
  };
  await node.deploy('names', mlp({ sizes: [4, 8, 3], seed: 1 }), LONG);
  const load = startLoad(4, async () => {
    return (await node.client.infer('names', { x: X })).version!;
  });
  await node.deploy('names', renamed(), undefined, {
    strategy: 'canary',
    steps: [20, 100],
    stepMs: 30_000,
    minRequests: 10,
  });
  expect((await rolledOut('names')).rollout?.phase).toBe('rolled-back');
  expect(await reasonOf('names')).toMatch(/requests failed/);
  await load.stop();
  expect([...load.outcomes.keys()].toSorted()).toEqual(['1', 'INPUT_UNKNOWN']);
});

it('a canary that answers NaN is rolled back, though every request succeeds', async () => {
  const elementwise = (operator: 'Abs' | 'Log'): Model => {
    const graph = new GraphBuilder(operator);
    const x = graph.input('x', 'float32', ['n', 4]);
    graph.node(operator, [x], {}, { outputs: ['y'] });
    graph.output('y', 'float32', ['n', 4]);
    return graph.model();
  };
  await node.deploy('wrong', elementwise('Abs'), LONG);
  const load = startLoad(4, async () => {
    return (await node.client.infer('wrong', { x: X })).version!;
  });
  await node.deploy('wrong', elementwise('Log'), undefined, {
    strategy: 'canary',
    steps: [20, 100],
    stepMs: 30_000,
    minRequests: 10,
  });
  expect((await rolledOut('wrong')).rollout?.phase).toBe('rolled-back');
  expect(await reasonOf('wrong')).toMatch(/were answered with NaN/);
  await load.stop();
  expect([...load.outcomes.keys()].toSorted()).toEqual(['1', '2']);
});

it('a shadow that answers differently is rolled back, and no caller has seen its answers', async () => {
  await node.deploy('shadow', mlp({ sizes: [4, 64, 3], seed: 1 }), LONG);
  const load = startLoad(4, async () => {
    return (await node.client.infer('shadow', { x: X })).version!;
  });
  const plan = {
    strategy: 'shadow' as const,
    steps: [100],
    stepMs: 200,
    minRequests: 20,
    tolerance: 1e-4,
  } satisfies Parameters<NodeProcess['deploy']>[3];
  await node.deploy('shadow', mlp({ sizes: [4, 64, 3], seed: 2 }), undefined, plan);
  const different = await rolledOut('shadow');
  expect(different.rollout?.phase).toBe('rolled-back');
  expect(different.rollout?.comparison?.maxDifference).toBeGreaterThan(1e-4);
  expect(await reasonOf('shadow')).toMatch(
    /outputs differ by up to .* more than the tolerance of 0.0001/,
  );

  // The same numbers in a different file.
  const same = mlp({ sizes: [4, 64, 3], seed: 1 });
  same.producerName = 'another exporter';
  await node.deploy('shadow', same, undefined, plan);
  const equal = await rolledOut('shadow');
  expect(equal.rollout).toMatchObject({
    phase: 'finished',
    toVersion: '3',
    comparison: { differing: 0, maxDifference: 0 },
  });
  expect(equal.rollout?.comparison?.compared).toBeGreaterThanOrEqual(20);
  await load.stop();
  expect([...load.outcomes.keys()]).toEqual(['1']);
});

it('a caller stays on one version of a sticky canary', async () => {
  await node.deploy('sticky', mlp({ sizes: [4, 8, 3], seed: 1 }), LONG);
  await node.deploy('sticky', mlp({ sizes: [4, 8, 3], seed: 2 }), undefined, {
    strategy: 'canary',
    steps: [50],
    stepMs: 60_000,
    stickyHeader: 'X-User',
  });
  const versionFor = async (user: string) =>
    (await node.client.infer('sticky', { x: X }, { headers: { 'X-User': user } })).version!;
  const users = Array.from({ length: 40 }, (_, index) => `user-${index}`);
  const first = await Promise.all(users.map(versionFor));
  expect(new Set(first)).toEqual(new Set(['1', '2']));
  for (let i = 0; i < 3; i++) expect(await Promise.all(users.map(versionFor))).toEqual(first);
  // An operator rolls back: every caller gets the old version at once.
  await node.client.rollback({ name: 'sticky', reason: 'enough seen' });
  expect(new Set(await Promise.all(users.map(versionFor)))).toEqual(new Set(['1']));
});
