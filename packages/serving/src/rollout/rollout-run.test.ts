import { describe, expect, it } from 'vitest';
import { RolloutPlan, SkeinError } from '@skein/api';
import { tensor, type NumericTensor } from '@skein/onnx';
import type { ServingEvent } from '../monitoring/events.ts';
import { deployed, event, eventOfKind, sendUntil } from '../testing/await-events.ts';
import { constant } from '../testing/scripted-target.ts';
import { ACTOR, codeOf, openScene, request, type Scene } from '../testing/scene.ts';

const plan = (more: Partial<RolloutPlan>): RolloutPlan => ({ ...RolloutPlan.parse({}), ...more });

describe('an immediate rollout', () => {
  it('starts as many replicas as its predecessor, then takes over in one step', async () => {
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

  it('drops no request under load', async () => {
    const scene = await openScene();
    const slow = { respond: async () => (await new Promise((r) => setImmediate(r)), constant(0)) };
    await scene.version('risk', slow);
    await scene.serving.deploy({ name: 'risk', version: '1' }, ACTOR);
    const answers: Promise<{ version: string }>[] = [];
    const stop = new AbortController();
    const pour = (async () => {
      while (!stop.signal.aborted) {
        answers.push(scene.serving.infer(request('risk')));
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let version = 2; version <= 8; version++) {
      await scene.version('risk', slow);
      await scene.serving.deploy({ name: 'risk', version: String(version) }, ACTOR);
    }
    stop.abort();
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

  const trafficUntil = (scene: Scene, kind: string): Promise<ServingEvent> =>
    sendUntil(scene, kind, () => codeOf(scene.serving.infer(request('risk'))));

  it('takes over step by step automatically', async () => {
    const scene = await openScene();
    await deployed(scene);
    await scene.version('risk');
    const view = await scene.serving.deploy({ name: 'risk', version: '2', plan: canary }, ACTOR);
    expect(view.rollout).toMatchObject({ phase: 'shifting', share: 50 });
    expect(view.targets.map(({ weight }) => weight)).toEqual([50, 50]);
    expect(await codeOf(scene.serving.changeSettings('risk', { threads: 2 }, ACTOR))).toBe(
      'ROLLOUT_IN_PROGRESS',
    );
    // Until it has finished, the state holds the stable version.
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

  it('rolls itself back when the new version answers NaN', async () => {
    const scene = await openScene();
    await deployed(scene);
    await scene.version('risk', { respond: async () => constant(Number.NaN) });
    await scene.serving.deploy({ name: 'risk', version: '2', plan: canary }, ACTOR);
    const back = await trafficUntil(scene, 'rolled-back');
    expect(back.reason).toMatch(/version 2: \d+ of \d+ requests were answered with NaN, infinity/);
  });

  it('takes over if it answers NaN as the old version does', async () => {
    const scene = await openScene();
    for (const version of ['1', '2']) {
      await scene.version('risk', { respond: async () => constant(Number.NaN) });
      await scene.serving.deploy({ name: 'risk', version, plan: canary }, ACTOR);
    }
    await trafficUntil(scene, 'rollout-finished');
    expect(scene.serving.view('risk').targets.map(({ version }) => version)).toEqual(['2']);
  });

  it('rolls itself back when the new version answers in another type or rank', async () => {
    const scene = await openScene();
    await deployed(scene);
    await scene.version('risk', {
      respond: async () => new Map([['y', tensor('float32', [1], Float32Array.of(0))]]),
    });
    await scene.serving.deploy({ name: 'risk', version: '2', plan: canary }, ACTOR);
    expect((await trafficUntil(scene, 'rolled-back')).reason).toContain('another kind of output');
  });

  it('with a tolerance also compares, and never with itself', async () => {
    const scene = await openScene();
    await deployed(scene);
    await scene.version('risk', { respond: async () => constant(1.5) });
    const compared = { ...canary, tolerance: 0.1, stepMs: 60_000, minRequests: 1000 };
    await scene.serving.deploy({ name: 'risk', version: '2', plan: compared }, ACTOR);
    const back = await trafficUntil(scene, 'rolled-back');
    expect(back.reason).toMatch(/outputs differ by up to 0.5, more than the tolerance of 0.1/);
    const { comparison } = scene.serving.view('risk').rollout!;
    expect(comparison).toMatchObject({ maxDifference: 0.5 });
    // Every comparison is between the two versions.
    expect(comparison!.differing).toBe(comparison!.compared);
    // At most a tenth of what the old version answers; its other requests are not copied.
    expect(comparison!.compared).toBeLessThan(scene.targets[0]!.requests.length / 2);
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

  it('interrupted by the end of the node is restored as the last stable split', async () => {
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
    // Recorded only once.
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

  it('compares without answering any request, then ends', async () => {
    const scene = await openScene();
    await scene.version('risk', { respond: async () => constant(1) });
    await scene.serving.deploy({ name: 'risk', version: '1' }, ACTOR);
    await scene.version('risk', { respond: async () => constant(1.25) });
    await scene.serving.deploy({ name: 'risk', version: '2', plan: shadow }, ACTOR);
    let sent = 0;
    const finished = await sendUntil(scene, 'rollout-finished', async () => {
      expect((await scene.serving.infer(request('risk'))).version).toBe('1');
      sent++;
    });
    expect(finished.reason).toMatch(/\d+ compared, 0 differ by up to 0.25/);
    expect(scene.observed.answered).toHaveLength(sent);
    expect(scene.serving.view('risk').rollout?.comparison).toMatchObject({
      differing: 0,
      maxDifference: 0.25,
    });
    expect(scene.serving.view('risk').targets.map(({ version }) => version)).toEqual(['1']);
    expect((await scene.serving.infer(request('risk'))).version).toBe('1');
  });

  it('is rolled back by its difference, and its copy has its own memory', async () => {
    const scene = await openScene();
    // The first version takes ownership of its inputs, as a worker does.
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
    const back = await eventOfKind(scene, 'rolled-back');
    expect(back.reason).toContain('tolerance of 0.5');
    expect(seen).toEqual([4]);
  });

  it('sees the answer unchanged, although the caller transfers its memory at once', async () => {
    const scene = await openScene();
    let answerShadow!: () => void;
    const later = new Promise<void>((resolve) => (answerShadow = resolve));
    await scene.version('risk', { respond: async () => constant(1) });
    await scene.serving.deploy({ name: 'risk', version: '1' }, ACTOR);
    await scene.version('risk', { respond: () => later.then(() => constant(1)) });
    const plan = { ...shadow, stepMs: 60_000 };
    await scene.serving.deploy({ name: 'risk', version: '2', plan }, ACTOR);
    const { outputs } = await scene.serving.infer(request('risk'));
    const { buffer } = (outputs.get('y') as NumericTensor).bytes;
    structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
    answerShadow();
    const seen = await sendUntil(
      scene,
      'rolled-back',
      // The comparison happens a few iterations after the shadow's answer.
      async () => {
        if (scene.serving.view('risk').rollout?.comparison?.compared === 1) {
          await scene.serving.rollback('risk', 'seen enough', ACTOR);
        }
      },
    );
    expect(seen.reason).toBe('seen enough');
    expect(scene.serving.view('risk').rollout?.comparison).toEqual({
      compared: 1,
      differing: 0,
      maxDifference: 0,
    });
  });

  it('that fails does not affect the answer', async () => {
    const scene = await openScene();
    await deployed(scene);
    await scene.version('risk', { respond: () => Promise.reject(new SkeinError('INTERNAL', 'x')) });
    await scene.serving.deploy({ name: 'risk', version: '2', plan: shadow }, ACTOR);
    const back = await sendUntil(scene, 'rolled-back', async () => {
      expect((await scene.serving.infer(request('risk'))).version).toBe('1');
    });
    expect(back.reason).toContain('requests failed');
    expect(scene.observed.refused).toEqual([]);
    expect(scene.serving.view('risk').last.sloAttainment).toBe(1);
  });
});

describe('a rollback', () => {
  it('returns to the previous version and settings', async () => {
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

  it('is refused in the first state', async () => {
    const scene = await openScene();
    await deployed(scene);
    expect(await codeOf(scene.serving.rollback('risk', 'why not', ACTOR))).toBe(
      'NOTHING_TO_ROLL_BACK',
    );
    expect(await codeOf(scene.serving.rollback('other', 'why not', ACTOR))).toBe('MODEL_UNKNOWN');
  });
});

it.each(['canary', 'shadow'] as const)(
  'refuses a %s of the version that is served already, and takes its settings without one',
  async (strategy) => {
    const scene = await openScene();
    await deployed(scene);
    const request = { name: 'risk', version: '1', settings: { maxQueue: 7 } };
    await expect(
      scene.serving.deploy({ ...request, plan: plan({ strategy }) }, ACTOR),
    ).rejects.toMatchObject({
      code: 'VERSION_SERVED',
      message: `Deployment "risk" serves version 1 already, so a ${strategy} of it would compare it with itself.`,
    });
    expect(scene.serving.view('risk').settings.maxQueue).not.toBe(7);
    await scene.serving.deploy({ ...request, plan: plan({ strategy: 'immediate' }) }, ACTOR);
    expect(scene.serving.view('risk').settings.maxQueue).toBe(7);
    await scene.serving.drain();
  },
);
