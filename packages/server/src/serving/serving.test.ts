import { describe, expect, it } from 'vitest';
import { RolloutPlan, SkeinError } from '@skein/api';
import { tensor, type NumericTensor } from '@skein/onnx';
import type { ServingEvent } from './events.ts';
import { constant } from './testing/scripted-target.ts';
import { ACTOR, codeOf, openScene, request, type Scene } from './testing/scene.ts';

const plan = (more: Partial<RolloutPlan>): RolloutPlan => ({ ...RolloutPlan.parse({}), ...more });

/** Resolves with the first event that fits, replayed ones included. */
function event(scene: Scene, fits: (event: ServingEvent) => boolean): Promise<ServingEvent> {
  return new Promise((resolve) => {
    const end = scene.serving.events.subscribe((each) => {
      if (!fits(each)) return;
      queueMicrotask(() => end());
      resolve(each);
    }, 0);
  });
}

const happened = (scene: Scene, kind: string): Promise<ServingEvent> =>
  event(scene, ({ details }) => details['happened'] === kind);

async function deployed(scene: Scene, name = 'risk'): Promise<void> {
  await scene.version(name);
  await scene.serving.deploy({ name, version: '1' }, ACTOR);
}

describe('a deployment', () => {
  it('answers with a deadline from its objective, unless the request has one', async () => {
    const scene = await openScene();
    await scene.version('risk');
    const view = await scene.serving.deploy(
      { name: 'risk', version: '1', settings: { objective: { latencyMs: 120 } } },
      ACTOR,
    );
    expect(view).toMatchObject({ name: 'risk', status: 'ready', revision: 1, kind: 'onnx' });
    const arrivedAt = performance.now();
    await scene.serving.infer(request('risk', { arrivedAt }));
    await scene.serving.infer(request('risk', { arrivedAt, deadline: arrivedAt + 7000 }));
    expect(scene.targets[0]!.requests.map(({ deadline }) => deadline - arrivedAt)).toEqual([
      120, 7000,
    ]);
    expect(scene.serving.view('risk').last).toMatchObject({ sloAttainment: 1, shedPerSecond: 0 });
  });

  it('is described to faces', async () => {
    const scene = await openScene();
    await deployed(scene);
    const model = scene.serving.describe('risk');
    expect(model).toMatchObject({
      name: 'risk',
      version: '1',
      versions: ['1'],
      kind: 'onnx',
      ready: true,
      objectiveMs: 500,
      maxBatchRows: 32,
    });
    expect(scene.serving.describe('risk')).toBe(model);
    expect(scene.serving.list()).toEqual([model]);
    expect(scene.serving.isReady('risk')).toBe(true);
    expect(scene.serving.isReady('risk', '2')).toBe(false);
    expect(scene.serving.isReady('other')).toBe(false);
  });

  it.each([
    ['other', undefined, 'MODEL_UNKNOWN'],
    ['risk', '9', 'VERSION_UNKNOWN'],
  ])('refuses %s, version %s: %s', async (name, version, code) => {
    const scene = await openScene();
    await deployed(scene);
    expect(await codeOf(scene.serving.infer(request(name, { version })))).toBe(code);
    expect(scene.told.refused).toEqual([code]);
    await expect(async () => scene.serving.describe(name, version)).rejects.toMatchObject({ code });
  });

  it('that cannot load leaves nothing behind', async () => {
    const scene = await openScene();
    await scene.version('risk', { loadError: new SkeinError('MODEL_LOAD_FAILED', 'Bad model.') });
    const deploying = scene.serving.deploy({ name: 'risk', version: '1' }, ACTOR);
    await expect(deploying).rejects.toMatchObject({ code: 'MODEL_LOAD_FAILED' });
    expect(scene.serving.views()).toEqual([]);
    expect(await scene.state.deployments()).toEqual([]);
    expect(scene.targets[0]!.drained).toBe(true);
  });

  it('of an unknown version or with impossible settings is refused', async () => {
    const scene = await openScene({ cores: 2 });
    await scene.version('risk');
    const deploy = (version: string, threads: number): Promise<string> =>
      codeOf(scene.serving.deploy({ name: 'risk', version, settings: { threads } }, ACTOR));
    expect(await deploy('2', 1)).toBe('VERSION_UNKNOWN');
    expect(await deploy('1', 3)).toBe('DEPLOYMENT_INVALID');
    expect(scene.serving.views()).toEqual([]);
  });

  it('changes one thing at a time', async () => {
    const scene = await openScene();
    let loaded!: () => void;
    await scene.version('risk', { loading: new Promise((resolve) => (loaded = resolve)) });
    const first = scene.serving.deploy({ name: 'risk', version: '1' }, ACTOR);
    expect(await codeOf(scene.serving.deploy({ name: 'risk', version: '1' }, ACTOR))).toBe(
      'ROLLOUT_IN_PROGRESS',
    );
    expect(scene.serving.view('risk')).toMatchObject({ status: 'starting' });
    expect(await codeOf(scene.serving.infer(request('risk')))).toBe('NO_REPLICA');
    loaded();
    expect((await first).status).toBe('ready');
  });

  it('is gone after undeploy, with its accepted requests answered', async () => {
    const scene = await openScene();
    let answer!: () => void;
    const gate = new Promise<void>((resolve) => (answer = resolve));
    await scene.version('risk', { respond: () => gate.then(() => constant(1)) });
    await scene.serving.deploy({ name: 'risk', version: '1' }, ACTOR);
    const accepted = scene.serving.infer(request('risk'));
    const gone = scene.serving.undeploy('risk', ACTOR);
    await happened(scene, 'undeployed');
    expect(await codeOf(scene.serving.infer(request('risk')))).toBe('MODEL_UNKNOWN');
    answer();
    await gone;
    expect((await accepted).version).toBe('1');
    expect(await scene.state.deployments()).toEqual([]);
    expect(await codeOf(scene.serving.undeploy('risk', ACTOR))).toBe('MODEL_UNKNOWN');
  });
});

describe('settings', () => {
  it('that need no new replicas are applied in place', async () => {
    const scene = await openScene();
    await deployed(scene);
    const view = await scene.serving.changeSettings(
      'risk',
      { objective: { latencyMs: 50 } },
      ACTOR,
    );
    expect(view).toMatchObject({ revision: 2, settings: { objective: { latencyMs: 50 } } });
    expect(scene.targets).toHaveLength(1);
    expect(scene.targets[0]!.drained).toBe(false);
    const arrivedAt = performance.now();
    await scene.serving.infer(request('risk', { arrivedAt }));
    expect(scene.targets[0]!.requests[0]!.deadline - arrivedAt).toBe(50);
  });

  it('that need new replicas bring them up beside the old ones', async () => {
    const scene = await openScene();
    await deployed(scene);
    await scene.serving.changeSettings('risk', { threads: 2 }, ACTOR);
    expect(scene.targets.map(({ drained }) => drained)).toEqual([true, false]);
    expect(scene.targets[1]!.plan.settings.threads).toBe(2);
    expect(await scene.history('risk')).toEqual([
      'deployed: version 1 serves within 500 ms at p99',
      'settings-changed: threads changed',
    ]);
  });

  it('that change nothing make no revision', async () => {
    const scene = await openScene();
    await deployed(scene);
    expect((await scene.serving.changeSettings('risk', { threads: 1 }, ACTOR)).revision).toBe(1);
    expect((await scene.serving.deploy({ name: 'risk', version: '1' }, ACTOR)).revision).toBe(1);
  });

  it('switch the cache on and off', async () => {
    const scene = await openScene();
    await deployed(scene);
    const cached = async (): Promise<boolean> =>
      (await scene.serving.infer(request('risk'))).cached;
    await scene.serving.changeSettings('risk', { cache: {} }, ACTOR);
    expect([await cached(), await cached()]).toEqual([false, true]);
    // A hit is an answer of the deployment like any other.
    expect(scene.told.answered).toHaveLength(2);
    await scene.serving.changeSettings('risk', { cache: null }, ACTOR);
    expect(await cached()).toBe(false);
  });
});

describe('an immediate rollout', () => {
  it('comes up as large as its predecessor, then takes over in one step', async () => {
    const scene = await openScene();
    await scene.version('risk');
    await scene.serving.deploy(
      { name: 'risk', version: '1', settings: { replicas: { min: 3, max: 8 } } },
      ACTOR,
    );
    await scene.version('risk');
    const view = await scene.serving.deploy({ name: 'risk', version: '2' }, ACTOR);
    expect(view.rollout).toMatchObject({
      phase: 'finished',
      fromVersion: '1',
      toVersion: '2',
      share: 100,
    });
    expect(view.targets.map(({ version }) => version)).toEqual(['2']);
    expect(scene.targets[1]!.scales.at(-1)).toBe(3);
    expect((await scene.serving.infer(request('risk'))).version).toBe('2');
    expect((await scene.state.deployment('risk'))?.targets).toEqual([
      { version: '2', weight: 100 },
    ]);
  });

  it('that fails leaves the old version serving', async () => {
    const scene = await openScene();
    await deployed(scene);
    await scene.version('risk', { loadError: new SkeinError('DEVICE_UNAVAILABLE', 'No CUDA.') });
    expect(await codeOf(scene.serving.deploy({ name: 'risk', version: '2' }, ACTOR))).toBe(
      'DEVICE_UNAVAILABLE',
    );
    const view = scene.serving.view('risk');
    expect(view).toMatchObject({
      status: 'ready',
      revision: 1,
      rollout: { phase: 'rolled-back', reason: 'No CUDA.' },
    });
    expect(view.targets.map(({ version }) => version)).toEqual(['1']);
    expect((await scene.serving.infer(request('risk'))).version).toBe('1');
  });

  it('drops nothing while requests pour in', async () => {
    const scene = await openScene();
    const slow = { respond: async () => (await new Promise((r) => setImmediate(r)), constant(0)) };
    await scene.version('risk', slow);
    await scene.serving.deploy({ name: 'risk', version: '1' }, ACTOR);
    let pouring = true;
    const answers: Promise<{ version: string }>[] = [];
    const pour = (async () => {
      while (pouring) {
        answers.push(scene.serving.infer(request('risk')));
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let version = 2; version <= 8; version++) {
      await scene.version('risk', slow);
      await scene.serving.deploy({ name: 'risk', version: String(version) }, ACTOR);
    }
    pouring = false;
    await pour;
    const versions = (await Promise.all(answers)).map(({ version }) => Number(version));
    expect(versions).toEqual([...versions].sort((a, b) => a - b));
    expect(scene.targets.slice(0, -1).every(({ drained }) => drained)).toBe(true);
  });

  it('can be aborted while it loads', async () => {
    const scene = await openScene();
    await deployed(scene);
    let loaded!: () => void;
    await scene.version('risk', { loading: new Promise((resolve) => (loaded = resolve)) });
    const deploying = codeOf(scene.serving.deploy({ name: 'risk', version: '2' }, ACTOR));
    await event(scene, ({ kind, details }) => kind === 'replica' && details['version'] === '2');
    expect(scene.serving.view('risk').rollout?.phase).toBe('warming');
    await scene.serving.rollback('risk', 'changed my mind', ACTOR);
    expect(await deploying).toBe('ROLLED_BACK');
    loaded();
    expect(scene.serving.view('risk').targets.map(({ version }) => version)).toEqual(['1']);
    expect(scene.targets[1]!.drained).toBe(true);
  });
});

describe('a canary', () => {
  const canary = plan({ strategy: 'canary', steps: [50], stepMs: 100, minRequests: 5 });

  /** Sends requests until something has happened. */
  async function trafficUntil(scene: Scene, kind: string): Promise<ServingEvent> {
    let over = false;
    const found = happened(scene, kind).finally(() => (over = true));
    while (!over) {
      await scene.serving.infer(request('risk')).catch(() => {});
      await new Promise((resolve) => setImmediate(resolve));
    }
    return found;
  }

  it('takes over step by step by itself', async () => {
    const scene = await openScene();
    await deployed(scene);
    await scene.version('risk');
    const view = await scene.serving.deploy({ name: 'risk', version: '2', plan: canary }, ACTOR);
    expect(view.rollout).toMatchObject({ phase: 'shifting', share: 50 });
    expect(view.targets.map(({ weight }) => weight)).toEqual([50, 50]);
    expect(await codeOf(scene.serving.changeSettings('risk', { threads: 2 }, ACTOR))).toBe(
      'ROLLOUT_IN_PROGRESS',
    );
    // Until it has finished, the state holds what was stable.
    expect((await scene.state.deployment('risk'))?.targets).toEqual([
      { version: '1', weight: 100 },
    ]);
    await trafficUntil(scene, 'rollout-finished');
    expect(scene.serving.view('risk').targets.map(({ version }) => version)).toEqual(['2']);
    expect((await scene.history('risk')).map((line) => line.split(':')[0])).toEqual([
      'deployed',
      'rollout-started',
      'rollout-step',
      'rollout-step',
      'rollout-finished',
    ]);
  });

  it('rolls itself back when the new version fails requests', async () => {
    const scene = await openScene();
    await deployed(scene);
    await scene.version('risk', {
      respond: () => Promise.reject(new SkeinError('INTERNAL', 'Broken.')),
    });
    await scene.serving.deploy({ name: 'risk', version: '2', plan: canary }, ACTOR);
    const back = await trafficUntil(scene, 'rolled-back');
    expect(back.reason).toMatch(/version 2: \d+ of \d+ requests failed/);
    expect(back.details['actor']).toBe('skein');
    for (let i = 0; i < 20; i++) {
      expect((await scene.serving.infer(request('risk'))).version).toBe('1');
    }
    expect(scene.targets[1]!.drained).toBe(true);
  });

  it('keeps a caller on one version by its key', async () => {
    const scene = await openScene();
    await deployed(scene);
    await scene.version('risk');
    const sticky = { ...canary, stepMs: 60_000, stickyHeader: 'X-Patient' };
    await scene.serving.deploy({ name: 'risk', version: '2', plan: sticky }, ACTOR);
    expect(scene.serving.describe('risk').stickyHeader).toBe('x-patient');
    const versions = new Set<string>();
    for (let key = 0; key < 40; key++) {
      const answers = new Set<string>();
      for (let i = 0; i < 5; i++) {
        answers.add((await scene.serving.infer(request('risk', { stickyKey: `p${key}` }))).version);
      }
      expect(answers.size).toBe(1);
      for (const version of answers) versions.add(version);
    }
    expect(versions.size).toBe(2);
    await scene.serving.rollback('risk', 'enough', ACTOR);
    expect(scene.serving.describe('risk').stickyHeader).toBeUndefined();
  });

  it('cut off by the end of the node comes back as the last stable split', async () => {
    const scene = await openScene();
    await deployed(scene);
    await scene.version('risk');
    await scene.serving.deploy(
      { name: 'risk', version: '2', plan: { ...canary, stepMs: 60_000 } },
      ACTOR,
    );
    const next = scene.restart();
    await next.serving.start();
    expect((await next.serving.infer(request('risk'))).version).toBe('1');
    await next.serving.drain();
    expect((await next.history('risk')).at(-1)).toBe(
      'rolled-back: the node stopped during the rollout; the last stable split is back',
    );
    // Only once.
    const third = next.restart();
    await third.serving.start();
    await third.serving.drain();
    expect(
      (await third.history('risk')).filter((line) => line.startsWith('rolled-back')),
    ).toHaveLength(1);
    await scene.serving.drain();
  });
});

describe('a shadow', () => {
  const shadow = plan({
    strategy: 'shadow',
    steps: [100],
    stepMs: 100,
    minRequests: 5,
    tolerance: 0.5,
  });

  it('compares without answering anybody, then goes', async () => {
    const scene = await openScene();
    await scene.version('risk', { respond: async () => constant(1) });
    await scene.serving.deploy({ name: 'risk', version: '1' }, ACTOR);
    await scene.version('risk', { respond: async () => constant(1.25) });
    await scene.serving.deploy({ name: 'risk', version: '2', plan: shadow }, ACTOR);
    let over = false;
    const finished = happened(scene, 'rollout-finished').finally(() => (over = true));
    let sent = 0;
    while (!over) {
      expect((await scene.serving.infer(request('risk'))).version).toBe('1');
      sent++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await finished).reason).toMatch(/\d+ compared, 0 differ by up to 0.25/);
    expect(scene.told.answered).toHaveLength(sent);
    expect(scene.serving.view('risk').targets.map(({ version }) => version)).toEqual(['1']);
    expect((await scene.serving.infer(request('risk'))).version).toBe('1');
  });

  it('is rolled back by its difference, and its copy has memory of its own', async () => {
    const scene = await openScene();
    // The first version takes the memory of its inputs away, as a worker does.
    const seen: number[] = [];
    await scene.version('risk', {
      respond: async ({ inputs }) => {
        const { buffer } = (inputs.get('x') as NumericTensor).bytes;
        structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
        return constant(1);
      },
    });
    await scene.serving.deploy({ name: 'risk', version: '1' }, ACTOR);
    await scene.version('risk', {
      respond: async ({ inputs }) => {
        seen.push((inputs.get('x') as NumericTensor).bytes.byteLength);
        return new Map([['y', tensor('float32', [1, 1], Float32Array.of(NaN))]]);
      },
    });
    await scene.serving.deploy({ name: 'risk', version: '2', plan: shadow }, ACTOR);
    await scene.serving.infer(request('risk'));
    const back = await happened(scene, 'rolled-back');
    expect(back.reason).toContain('tolerance of 0.5');
    expect(seen).toEqual([4]);
  });

  it('that fails does not touch the answer', async () => {
    const scene = await openScene();
    await deployed(scene);
    await scene.version('risk', { respond: () => Promise.reject(new SkeinError('INTERNAL', 'x')) });
    await scene.serving.deploy({ name: 'risk', version: '2', plan: shadow }, ACTOR);
    let over = false;
    const back = happened(scene, 'rolled-back').finally(() => (over = true));
    while (!over) {
      expect((await scene.serving.infer(request('risk'))).version).toBe('1');
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await back).reason).toContain('requests failed');
    expect(scene.told.refused).toEqual([]);
    expect(scene.serving.view('risk').last.sloAttainment).toBe(1);
  });
});

describe('a rollback', () => {
  it('returns to the version and the settings before', async () => {
    const scene = await openScene();
    await deployed(scene);
    await scene.version('risk');
    await scene.serving.deploy({ name: 'risk', version: '2', settings: { maxQueue: 5 } }, ACTOR);
    const view = await scene.serving.rollback('risk', 'worse on ward 3', ACTOR);
    expect(view).toMatchObject({ revision: 3, settings: { maxQueue: 1024 } });
    expect(view.targets.map(({ version }) => version)).toEqual(['1']);
    expect(scene.targets.at(-1)!.plan.settings.maxQueue).toBe(1024);
    expect((await scene.history('risk')).at(-1)).toBe('rolled-back: worse on ward 3');
  });

  it('returns from a change of settings', async () => {
    const scene = await openScene();
    await deployed(scene);
    await scene.serving.changeSettings('risk', { objective: { latencyMs: 9 } }, ACTOR);
    const view = await scene.serving.rollback('risk', 'too tight', ACTOR);
    expect(view.settings.objective.latencyMs).toBe(500);
  });

  it('has nowhere to go from the first state', async () => {
    const scene = await openScene();
    await deployed(scene);
    expect(await codeOf(scene.serving.rollback('risk', 'why not', ACTOR))).toBe(
      'NOTHING_TO_ROLL_BACK',
    );
    expect(await codeOf(scene.serving.rollback('other', 'why not', ACTOR))).toBe('MODEL_UNKNOWN');
  });
});

describe('a restart', () => {
  it('brings every deployment back; a broken one is failed with its reason', async () => {
    const scene = await openScene();
    await deployed(scene, 'good');
    await deployed(scene, 'idle');
    await scene.serving.changeSettings('idle', { replicas: { min: 0 } }, ACTOR);
    await deployed(scene, 'gone');
    const bad = await scene.version('bad');
    await scene.serving.deploy({ name: 'bad', version: '1', settings: { maxQueue: 3 } }, ACTOR);
    await scene.serving.drain();
    await scene.state.removeVersion('gone', '1');

    await scene.state.removeVersion('bad', bad.version);
    const next = scene.restart();
    await next.serving.start();
    expect(next.serving.view('good').status).toBe('ready');
    expect(next.serving.view('idle')).toMatchObject({ status: 'idle' });
    expect(next.serving.isReady('idle')).toBe(true);
    expect(next.serving.view('gone')).toMatchObject({ status: 'failed', targets: [] });
    expect(next.serving.view('bad').reason).toContain('has no version');
    expect(await codeOf(next.serving.infer(request('bad')))).toBe('NO_REPLICA');

    // A failed deployment is repaired by a deploy, and keeps its settings and revisions.
    const repaired = await next.version('bad');
    const view = await next.serving.deploy({ name: 'bad', version: repaired.version }, ACTOR);
    expect(view).toMatchObject({ status: 'ready', revision: 2, settings: { maxQueue: 3 } });
    await next.serving.drain();
  });

  it('wakes an idle deployment by a request', async () => {
    const scene = await openScene();
    await deployed(scene);
    await scene.serving.changeSettings('risk', { replicas: { min: 0 } }, ACTOR);
    await scene.serving.drain();
    const next = scene.restart();
    await next.serving.start();
    expect(next.targets[0]!.scales).toEqual([0]);
    expect((await next.serving.infer(request('risk'))).version).toBe('1');
    expect(next.targets[0]!.scales).toEqual([0, 1]);
    await next.serving.drain();
    expect((await next.history('risk')).at(-1)).toContain('a request arrived');
  });
});

describe('draining', () => {
  it('answers what was accepted, refuses what comes, and lets compositions call to the end', async () => {
    const scene = await openScene();
    await deployed(scene, 'callee');
    let proceed!: () => void;
    const gate = new Promise<void>((resolve) => (proceed = resolve));
    await scene.version(
      'caller',
      {
        calls: ['callee'],
        respond: async () => {
          await gate;
          return (await scene.serving.infer(request('callee', { protocol: 'internal' }))).outputs;
        },
      },
      'composition',
    );
    await scene.serving.deploy({ name: 'caller', version: '1' }, ACTOR);
    const accepted = scene.serving.infer(request('caller'));
    const drained = scene.serving.drain();
    expect(await codeOf(scene.serving.infer(request('callee')))).toBe('NODE_DRAINING');
    proceed();
    expect((await accepted).version).toBe('1');
    await drained;
    expect(scene.targets.every(({ drained }) => drained)).toBe(true);
  });
});

describe('compositions', () => {
  it('need what they call, keep it, and may not go in circles', async () => {
    const scene = await openScene();
    const compose = async (name: string, calls: string[]): Promise<string> => {
      const { version } = await scene.version(name, { calls }, 'composition');
      return codeOf(scene.serving.deploy({ name, version }, ACTOR));
    };
    expect(await compose('a', ['model'])).toBe('COMPOSITION_INVALID');
    await deployed(scene, 'model');
    expect(await compose('a', ['model'])).toBe('succeeded');
    expect(await compose('b', ['a'])).toBe('succeeded');
    expect(await compose('a', ['b'])).toBe('COMPOSITION_INVALID');
    expect(scene.serving.view('a').rollout?.reason).toContain('a → b → a');
    expect(await compose('c', ['c'])).toBe('COMPOSITION_INVALID');
    await expect(scene.serving.undeploy('model', ACTOR)).rejects.toMatchObject({
      code: 'DEPLOYMENT_INVALID',
      message: 'Deployment "model" is called by a.',
    });
    await scene.serving.undeploy('b', ACTOR);
    await scene.serving.undeploy('a', ACTOR);
    await scene.serving.undeploy('model', ACTOR);
  });

  it('forget cached answers when what they call changes', async () => {
    const scene = await openScene();
    await deployed(scene, 'model');
    await scene.version('outer', { calls: ['inner'] }, 'composition');
    await scene.version('inner', { calls: ['model'] }, 'composition');
    const settings = { cache: {} };
    await scene.serving.deploy({ name: 'inner', version: '1', settings }, ACTOR);
    await scene.serving.deploy({ name: 'outer', version: '1', settings }, ACTOR);
    const cached = async (): Promise<boolean> =>
      (await scene.serving.infer(request('outer'))).cached;
    expect([await cached(), await cached()]).toEqual([false, true]);
    await scene.version('model');
    await scene.serving.deploy({ name: 'model', version: '2' }, ACTOR);
    expect(await cached()).toBe(false);
  });
});
