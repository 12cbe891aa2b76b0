/** Changes of deployments in a fleet of processes whose chosen member is killed meanwhile. */
import type { DeploymentSettingsPatch } from '@skein/api';
import { mlp, writeModel } from '@skein/onnx';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { answerOf } from '../../testing/fleet.ts';
import type { NodeProcess } from '../../testing/node-process.ts';
import { openSlowFleet, PATIENT, type SlowFleet } from '../../testing/slow-fleet.ts';

let fleet: SlowFleet;
beforeEach(async () => {
  fleet = await openSlowFleet();
});
afterEach(() => fleet.close());

async function hasDeployment({ client }: NodeProcess, name: string): Promise<boolean> {
  const { deployments } = await client.listDeployments();
  return deployments.some((each) => each.name === name);
}

test('a deploy whose member is killed while it loads is placed again on another one with free memory', async () => {
  // The first one has too little memory: another one carries the deploy out.
  const a = await fleet.start({ args: ['--model-memory', '1MiB'] });
  const others = [await fleet.start(), await fleet.start()];
  await expect
    .poll(async () => (await a.client.getFleet()).members.length, PATIENT)
    .toBe(1 + others.length);
  const model = writeModel(mlp({ sizes: [4, 1024, 1024, 3], seed: 1 }));
  for (let round = 0; ; round++) {
    const name = `risk-${round}`;
    const settings = {
      objective: { latencyMs: 30_000 },
      replicas: { min: 1, max: 1 },
      isolation: 'process',
    } as const;
    const deploying = a.deploy(name, model, settings);
    let taker: NodeProcess | undefined;
    while (taker === undefined) {
      const known = await Promise.all(others.map((node) => hasDeployment(node, name)));
      taker = others.find((_, i) => known[i]);
    }
    process.kill(taker.pid, 'SIGSTOP');
    // It has stored the deployment already: the next one is tried.
    if (await hasDeployment(a, name)) {
      process.kill(taker.pid, 'SIGCONT');
      await deploying;
      continue;
    }
    await taker.kill();
    expect(await deploying).toMatchObject({ name, targets: [{ version: '1' }] });
    const [left] = others.filter((node) => node !== taker) as [NodeProcess];
    await expect
      .poll(async () => (await left.client.getDeployment({ name })).status, PATIENT)
      .toBe('ready');
    await expect.poll(() => answerOf(a, name), PATIENT).toBe('1');
    return;
  }
}, 180_000);

test('new settings, and a rollback, whose member is killed meanwhile are carried on by another one', async () => {
  // The first one has too little memory: it asks another one for each change.
  const a = await fleet.start({ args: ['--model-memory', '1MiB'] });
  const nodes = [await fleet.start(), await fleet.start()];
  const version = (seed: number) => mlp({ sizes: [4, 1024, 1024, 3], seed });
  await a.deploy('risk', version(1), { objective: { latencyMs: 30_000 } });
  await a.deploy('risk', version(2));

  /** The holders, in the order in which they are asked. */
  const holders = async (): Promise<(NodeProcess | undefined)[]> => {
    const { members } = await a.client.getFleet();
    const holding = members.filter(({ loaded }) => loaded.some(({ version }) => version === '2'));
    return holding.map(({ address }) => nodes.find(({ url }) => url === address));
  };
  /** Begins a change, and kills the member that is asked for it first. */
  const killMeanwhile = async (change: () => Promise<unknown>): Promise<unknown> => {
    // The lease of the one before has ended by then.
    await expect
      .poll(async () => (await holders()).map((node) => node !== undefined), PATIENT)
      .toEqual([true, true]);
    const [first] = (await holders()) as [NodeProcess];
    process.kill(first.pid, 'SIGSTOP');
    const changing = change();
    // When this is answered, the stopped one has received all earlier messages.
    await a.client.getNode();
    await first.kill();
    nodes.splice(nodes.indexOf(first), 1);
    return changing;
  };

  expect(
    await killMeanwhile(() => a.client.changeSettings({ name: 'risk', settings: { maxQueue: 7 } })),
  ).toMatchObject({ settings: { maxQueue: 7 } });
  nodes.push(await fleet.start());
  expect(
    await killMeanwhile(() => a.client.rollback({ name: 'risk', reason: 'worse' })),
  ).toMatchObject({ name: 'risk' });
  const [left] = nodes as [NodeProcess];
  await expect
    .poll(async () => {
      const { targets, status } = await left.client.getDeployment({ name: 'risk' });
      return { status, versions: targets.map((target) => target.version) };
    }, PATIENT)
    .toEqual({ status: 'ready', versions: ['2'] });
}, 180_000);

test('new settings whose only member is killed meanwhile, or was before, are stored, and the next one that loads the model has them', async () => {
  const a = await fleet.start({ args: ['--model-memory', '1MiB'] });
  const holder = await fleet.start();
  await a.deploy('risk', mlp({ sizes: [4, 1024, 1024, 3], seed: 1 }), {
    objective: { latencyMs: 30_000 },
  });
  await expect
    .poll(async () => (await a.client.getDeployment({ name: 'risk' })).status, PATIENT)
    .toBe('elsewhere');
  const change = (settings: DeploymentSettingsPatch) =>
    a.client.changeSettings({ name: 'risk', settings });
  process.kill(holder.pid, 'SIGSTOP');
  const changing = change({ maxQueue: 7, threads: 2, oversubscribe: true });
  await a.client.getNode();
  await holder.kill();
  expect(await changing).toMatchObject({ status: 'elsewhere', settings: { maxQueue: 7 } });
  // Nothing of the killed one is left to ask.
  expect(await change({ maxQueue: 8 })).toMatchObject({ settings: { maxQueue: 8, threads: 2 } });
  const next = await fleet.start();
  await expect
    .poll(async () => {
      const { status, settings } = await next.client.getDeployment({ name: 'risk' });
      return { status, maxQueue: settings.maxQueue, threads: settings.threads };
    }, PATIENT)
    .toEqual({ status: 'ready', maxQueue: 8, threads: 2 });
  await expect.poll(() => answerOf(a, 'risk'), PATIENT).toBe('1');
}, 180_000);
