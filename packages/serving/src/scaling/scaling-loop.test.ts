import { describe, expect, it } from 'vitest';
import { SkeinError } from '@skein/api';
import { openSqliteState } from '@skein/state';
import type { ServingContext } from '../context.ts';
import type { ServingObserver } from '../contract.ts';
import { Deployment } from '../deployment/deployment.ts';
import { createEventBus, type ServingEvent } from '../monitoring/events.ts';
import { createJournal } from '../monitoring/journal.ts';
import { liveTarget, scale } from '../deployment/live-target.ts';
import { createScalingLoop } from './scaling-loop.ts';
import { mergeSettings } from '../deployment/settings.ts';
import { constant, ScriptedTarget, SIGNATURE, type Script } from '../testing/scripted-target.ts';
import { request } from '../testing/scene.ts';

/** Two deployments on a node of a few cores, with a clock that the test advances. */
async function stage(
  cores: number,
  scripts: Record<string, Script>,
  min = 1,
  modelMemory?: { budgetBytes: number },
) {
  let now = 0;
  const clock = { now: () => now };
  const state = await openSqliteState(':memory:');
  const events = createEventBus();
  const seen: ServingEvent[] = [];
  events.subscribe((event) => seen.push(event));
  const journal = createJournal(state, events, () => {});
  const deployments = new Map<string, Deployment>();
  const targets: Record<string, ScriptedTarget> = {};
  const steps: string[] = [];
  const observer: ServingObserver = {
    answered() {},
    refused() {},
    batchRan() {},
    replicaChanged() {},
    scaled: ({ deployment, version, from, to, cause }) =>
      void steps.push(`${deployment}/${version} ${from}→${to} ${cause}`),
  };
  const random = Math.random;
  for (const [name, script] of Object.entries(scripts)) {
    const settings = mergeSettings(undefined, { replicas: { min, max: cores } }, cores);
    const deployment = new Deployment({
      name,
      kind: 'onnx',
      settings,
      clock,
      observer,
      random,
      journal,
      events,
    });
    const record = {
      model: name,
      version: '1',
      kind: 'onnx' as const,
      digest: '',
      sizeBytes: 0,
      signature: SIGNATURE,
      metadata: {},
      createdAt: '',
    };
    const target = new ScriptedTarget(
      {
        deployment: name,
        record,
        path: '',
        settings: settings.settings,
        observer: deployment.observer,
        proven: true,
      },
      script,
    );
    const live = liveTarget(record, target, 10, now);
    deployment.add(live);
    deployment.route([{ live, weight: 100 }]);
    scale(live, 1);
    deployments.set(name, deployment);
    targets[name] = target;
  }
  const loop = createScalingLoop({
    clock,
    cores,
    deployments,
    journal,
    placing: modelMemory,
    inMemory: new Map(),
    waitingForMemory: new Set(),
  } as unknown as ServingContext);
  return {
    targets,
    seen,
    /** Events that telemetry received. */
    steps,
    state,
    journal,
    deployments,
    wanted: (): Record<string, number> =>
      Object.fromEntries([...deployments].map(([name, { main }]) => [name, main!.wanted])),
    /** Advances second by second, with so many requests in each. */
    seconds: async (count: number, load: Record<string, number> = {}): Promise<void> => {
      for (let i = 0; i < count; i++) {
        for (const [name, requests] of Object.entries(load)) {
          for (let k = 0; k < requests; k++) {
            await deployments
              .get(name)!
              .infer(request(name))
              .catch(() => {});
          }
        }
        now += 1000;
        loop.tick();
      }
    },
  };
}

// A scripted replica carries 100 rows per second.
describe('the scaling loop', () => {
  it('scales by the reports of a target, and records each step with its reason', async () => {
    const { seconds, wanted, targets, seen, steps, state, journal } = await stage(8, { risk: {} });
    await seconds(8, { risk: 300 });
    expect(wanted()).toEqual({ risk: 4 });
    expect(targets['risk']!.scales.at(-1)).toBe(4);
    await journal.settled();
    const history = await state.history({ deployment: 'risk', kind: 'scaled', limit: 10 });
    expect(history[0]).toMatchObject({
      actor: 'skein',
      details: { version: '1', to: 4, cause: 'demand', capacity: 100 },
    });
    expect(steps.at(-1)).toMatch(/^risk\/1 \d→4 demand$/);
    expect(steps).toHaveLength(history.length);
    expect(history[0]!.reason).toMatch(
      /^\d+ rows\/s arrive and one replica carries 100 rows\/s, which needs 4/,
    );
    expect(seen.filter(({ kind }) => kind === 'scaling')).toHaveLength(history.length);
  });

  it('records nothing while nothing changes, but has the reason', async () => {
    const { seconds, deployments, seen } = await stage(8, { risk: {} });
    await seconds(30, { risk: 10 });
    expect(seen.filter(({ kind }) => kind === 'scaling')).toEqual([]);
    expect(deployments.get('risk')!.main!.reason).toBe('10 rows/s are carried');
  });

  it('never assigns more cores than there are, and records which version got fewer', async () => {
    const { seconds, wanted, deployments } = await stage(4, { a: {}, b: {} });
    await seconds(10, { a: 900, b: 900 });
    expect(wanted()).toEqual({ a: 2, b: 2 });
    expect(deployments.get('a')!.main!.reason).toContain('the 4 cores of the node allow 2');
  });

  it('starts no replica whose copy of the model does not fit into the memory for models', async () => {
    // A copy is expected to take ten bytes.
    const { seconds, wanted, deployments } = await stage(8, { a: {}, b: {} }, 1, {
      budgetBytes: 39,
    });
    await seconds(8, { a: 900 });
    expect(wanted()).toEqual({ a: 2, b: 1 });
    expect(deployments.get('a')!.main!.reason).toContain('the memory of the node allows 2');
  });

  it('gives the cores of a deployment that became quiet to the busy one', async () => {
    const { seconds, wanted, steps } = await stage(4, { a: {}, b: {} });
    await seconds(10, { a: 900, b: 900 });
    await seconds(60, { a: 900 });
    expect(wanted()).toEqual({ a: 3, b: 1 });
    // When it becomes busy again it gets its share back, whatever the load of the other.
    await seconds(10, { a: 900, b: 900 });
    expect(wanted()).toEqual({ a: 2, b: 2 });
    expect(steps.at(-1)).toMatch(/^b\/1 1→2 (demand|pressure)$/);
    expect(steps).toContain('a/1 3→2 cores');
  });

  it('scales to zero when idle, and the next request starts a replica at once', async () => {
    const { seconds, wanted, steps, deployments, state, journal } = await stage(4, { risk: {} }, 0);
    await seconds(70);
    expect(wanted()).toEqual({ risk: 0 });
    expect(deployments.get('risk')!.isReady()).toBe(true);
    await deployments.get('risk')!.infer(request('risk'));
    expect(wanted()).toEqual({ risk: 1 });
    await journal.settled();
    const reasons = (await state.history({ kind: 'scaled', limit: 10 })).map(
      ({ reason }) => reason,
    );
    expect(reasons[0]).toContain('a request arrived');
    expect(reasons[1]).toContain('no request for');
    expect(steps).toEqual(['risk/1 1→0 idle', 'risk/1 0→1 woken']);
  });

  it('leaves one replica to a woken version on a full node', async () => {
    const { seconds, wanted } = await stage(1, { a: {}, b: {} }, 0);
    await seconds(70, { a: 50 });
    expect(wanted()).toEqual({ a: 1, b: 0 });
    await seconds(3, { a: 50, b: 1 });
    expect(wanted()).toEqual({ a: 1, b: 1 });
  });

  it('keeps the replicas that a rollout depends on', async () => {
    const { seconds, wanted, deployments } = await stage(8, { risk: {} }, 0);
    const live = deployments.get('risk')!.main!;
    scale(live, 3);
    live.floor = 3;
    await seconds(200);
    expect(wanted()).toEqual({ risk: 3 });
    live.floor = 0;
    await seconds(1);
    expect(wanted()).toEqual({ risk: 0 });
  });

  it('grows when load is shed, although few requests are answered', async () => {
    let predicted = 0;
    const { seconds, wanted } = await stage(8, {
      risk: {
        respond: async () => {
          if (predicted > 0) throw new SkeinError('DEADLINE_UNREACHABLE', 'Too late.');
          return constant(1);
        },
        predictedDelayMs: () => predicted,
      },
    });
    await seconds(5, { risk: 5 });
    predicted = 400;
    await seconds(8, { risk: 5 });
    expect(wanted()['risk']).toBe(4);
  });
});
