import { describe, expect, it } from 'vitest';
import { SkeinError } from '@skein/api';
import { deployed, eventOfKind } from './testing/await-events.ts';
import { constant } from './testing/scripted-target.ts';
import { ACTOR, codeOf, openScene, request } from './testing/scene.ts';

describe('a deployment', () => {
  it('answers with a deadline from its objective, unless the request has its own', async () => {
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
    expect(scene.targets[0]!.requests.map(({ deadline }) => deadline)).toEqual([
      arrivedAt + 120,
      arrivedAt + 7000,
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
    expect(scene.observed.refused).toEqual([code]);
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

  it('has one change at a time', async () => {
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

  it('is removed by undeploy, with its accepted requests answered', async () => {
    const scene = await openScene();
    let answer!: () => void;
    const gate = new Promise<void>((resolve) => (answer = resolve));
    await scene.version('risk', { respond: () => gate.then(() => constant(1)) });
    await scene.serving.deploy({ name: 'risk', version: '1' }, ACTOR);
    const accepted = scene.serving.infer(request('risk'));
    const gone = scene.serving.undeploy('risk', ACTOR);
    await eventOfKind(scene, 'undeployed');
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
    const view = await scene.serving.changeSettings('risk', { replicas: { max: 3 } }, ACTOR);
    expect(view).toMatchObject({ revision: 2, settings: { replicas: { min: 1, max: 3 } } });
    expect(scene.targets).toHaveLength(1);
    expect(scene.targets[0]!.drained).toBe(false);
    expect((await scene.serving.infer(request('risk'))).version).toBe('1');
  });

  it('that need new replicas start them next to the old ones', async () => {
    const scene = await openScene();
    await deployed(scene);
    const settings = { threads: 2, objective: { latencyMs: 50 } };
    await scene.serving.changeSettings('risk', settings, ACTOR);
    expect(scene.targets.map(({ drained }) => drained)).toEqual([true, false]);
    expect(scene.targets[1]!.plan.settings.threads).toBe(2);
    const arrivedAt = performance.now();
    await scene.serving.infer(request('risk', { arrivedAt }));
    expect(scene.targets[1]!.requests[0]!.deadline).toBe(arrivedAt + 50);
    expect(await scene.history('risk')).toEqual([
      'deployed: version 1 serves within 500 ms at p99',
      'settings-changed: objective, threads changed',
    ]);
  });

  it('that change nothing create no revision', async () => {
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
    expect(scene.observed.answered).toHaveLength(2);
    await scene.serving.changeSettings('risk', { cache: null }, ACTOR);
    expect(await cached()).toBe(false);
  });
});

describe('draining', () => {
  it('answers accepted requests, refuses new ones, and lets compositions finish their calls', async () => {
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
  it('require the deployments that they call, prevent their removal, and must not form cycles', async () => {
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
      message: 'Deployment "model" is called by a, which must be undeployed first.',
    });
    await scene.serving.undeploy('b', ACTOR);
    await scene.serving.undeploy('a', ACTOR);
    await scene.serving.undeploy('model', ACTOR);
  });

  it('drop cached answers when a called deployment changes', async () => {
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
