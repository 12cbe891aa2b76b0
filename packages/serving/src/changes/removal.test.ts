import { describe, expect, it } from 'vitest';
import { SkeinError } from '@skein/api';
import { deployed, eventOfKind } from '../testing/await-events.ts';
import { constant } from '../testing/scripted-target.ts';
import { ACTOR, codeOf, openScene, request } from '../testing/scene.ts';

const SETTINGS = {
  objective: { latencyMs: 120 },
  replicas: { min: 2, max: 3 },
  batching: { maxRows: 4 },
  isolation: 'process' as const,
  cache: { ttlMs: 5000 },
  maxQueue: 7,
};

async function unloaded() {
  const scene = await openScene();
  await scene.version('risk');
  await scene.serving.deploy({ name: 'risk', version: '1', settings: SETTINGS }, ACTOR);
  const { settings } = scene.serving.view('risk');
  await scene.serving.unload('risk', ACTOR);
  return { scene, settings };
}

describe('unload', () => {
  it('answers the accepted requests, and the model is unknown from then on', async () => {
    const scene = await openScene();
    let answer!: () => void;
    const gate = new Promise<void>((resolve) => (answer = resolve));
    await scene.version('risk', { respond: () => gate.then(() => constant(1)) });
    await scene.serving.deploy({ name: 'risk', version: '1' }, ACTOR);
    const accepted = scene.serving.infer(request('risk'));
    const gone = scene.serving.unload('risk', ACTOR);
    await eventOfKind(scene, 'unloaded');
    for (const version of [undefined, '1']) {
      expect(await codeOf(scene.serving.infer(request('risk', { version })))).toBe('MODEL_UNKNOWN');
    }
    answer();
    await gone;
    expect((await accepted).version).toBe('1');
    expect(scene.targets[0]!.drained).toBe(true);
    expect(scene.serving.isReady('risk')).toBe(false);
    // A node with an unloaded model is ready.
    expect(scene.serving.list()).toEqual([]);
  });

  it('keeps the settings, which the next deploy restores and may override', async () => {
    const { scene, settings } = await unloaded();
    expect(scene.serving.view('risk')).toMatchObject({ status: 'unloaded', settings, targets: [] });
    const view = await scene.serving.deploy(
      { name: 'risk', version: '1', settings: { maxQueue: 9 } },
      ACTOR,
    );
    expect(view).toMatchObject({ status: 'ready', settings: { ...settings, maxQueue: 9 } });
    expect((await scene.serving.infer(request('risk'))).version).toBe('1');
    expect(await scene.history('risk')).toContain(
      'unloaded: unloaded; its settings are kept for the next load',
    );
  });

  it('survives restarts, and keeps the settings through a load that fails', async () => {
    const { scene, settings } = await unloaded();
    const next = scene.restart().restart();
    await next.serving.start();
    expect(next.serving.view('risk')).toMatchObject({ status: 'unloaded', settings });
    expect(next.targets).toEqual([]);
    const { version } = await next.version('risk', {
      loadError: new SkeinError('MODEL_LOAD_FAILED', 'Bad model.'),
    });
    expect(await codeOf(next.serving.deploy({ name: 'risk', version }, ACTOR))).toBe(
      'MODEL_LOAD_FAILED',
    );
    expect(next.serving.view('risk')).toMatchObject({ status: 'unloaded', settings });
    await next.serving.deploy({ name: 'risk', version: '1' }, ACTOR);
    expect(next.serving.view('risk').settings).toEqual(settings);
    await next.serving.drain();
    // A deployment that was loaded again is restored like any other.
    const last = next.restart();
    await last.serving.start();
    expect(last.serving.view('risk')).toMatchObject({ status: 'ready', settings });
    await last.serving.drain();
  });

  it('frees the cores, and a second one changes nothing', async () => {
    const scene = await openScene({ cores: 1 });
    await deployed(scene, 'a');
    await scene.serving.unload('a', ACTOR);
    const { revision } = scene.serving.view('a');
    await scene.serving.unload('a', ACTOR);
    expect(scene.serving.view('a').revision).toBe(revision);
    await deployed(scene, 'b');
    const always = { name: 'a', version: '1', settings: { replicas: { min: 1 } } };
    expect(await codeOf(scene.serving.deploy(always, ACTOR))).toBe('DEPLOYMENT_INVALID');
    await scene.serving.undeploy('b', ACTOR);
    await scene.serving.deploy(always, ACTOR);
  });

  it('is refused while a composition calls the model, and its change is refused while it is unloaded', async () => {
    const scene = await openScene();
    await deployed(scene, 'model');
    await scene.version('a', { calls: ['model'] }, 'composition');
    const compose = () => codeOf(scene.serving.deploy({ name: 'a', version: '1' }, ACTOR));
    expect(await compose()).toBe('succeeded');
    expect(await codeOf(scene.serving.unload('model', ACTOR))).toBe('DEPLOYMENT_INVALID');
    await scene.serving.unload('a', ACTOR);
    await scene.serving.unload('model', ACTOR);
    expect(await compose()).toBe('COMPOSITION_INVALID');
    expect(await codeOf(scene.serving.rollback('model', 'why not', ACTOR))).toBe(
      'NOTHING_TO_ROLL_BACK',
    );
    await expect(scene.serving.changeSettings('model', { threads: 2 }, ACTOR)).rejects.toThrow(
      'is unloaded',
    );
    expect(await codeOf(scene.serving.unload('other', ACTOR))).toBe('MODEL_UNKNOWN');
  });

  it('is removed by undeploy', async () => {
    const { scene } = await unloaded();
    await scene.serving.undeploy('risk', ACTOR);
    expect(scene.serving.views()).toEqual([]);
    expect(await scene.state.deployments()).toEqual([]);
    const view = await scene.serving.deploy({ name: 'risk', version: '1' }, ACTOR);
    expect(view.settings).toMatchObject({ objective: { latencyMs: 500 }, maxQueue: 1024 });
  });
});
