import { describe, expect, it } from 'vitest';
import { deployed } from '../testing/await-events.ts';
import { ACTOR, codeOf, openScene, request } from '../testing/scene.ts';

describe('a restart', () => {
  it('restores every deployment; a broken one is failed with its reason', async () => {
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

    // A deploy repairs a failed deployment and keeps its settings and revisions.
    const repaired = await next.version('bad');
    const view = await next.serving.deploy({ name: 'bad', version: repaired.version }, ACTOR);
    expect(view).toMatchObject({ status: 'ready', revision: 2, settings: { maxQueue: 3 } });
    await next.serving.drain();
  });

  it('describes a deployment that fails to start, so that its requests can be read and go to another member', async () => {
    const scene = await openScene();
    const script: { loadError?: Error } = {};
    await scene.version('risk', script);
    await scene.serving.deploy({ name: 'risk', version: '1' }, ACTOR);
    await scene.serving.drain();
    script.loadError = new Error('its file is missing');
    const { serving } = scene.restart();
    await serving.start();
    expect(serving.view('risk').status).toBe('failed');
    for (const version of [undefined, '1']) {
      expect(serving.describe('risk', version)).toMatchObject({ versions: ['1'], ready: false });
      expect(await codeOf(serving.infer(request('risk', { version })))).toBe('NO_REPLICA');
    }
    expect(serving.isReady('risk')).toBe(false);
    await serving.drain();
  });

  it('lists its deployments before they serve, and refuses changes to them meanwhile', async () => {
    const scene = await openScene();
    await deployed(scene);
    await scene.serving.drain();
    const { serving } = scene.restart();
    await serving.readDeployments();
    expect(serving.list()).toMatchObject([{ name: 'risk', versions: ['1'], ready: false }]);
    expect(serving.view('risk')).toMatchObject({ status: 'starting', targets: [] });
    for (const version of [undefined, '1']) {
      expect(await codeOf(serving.infer(request('risk', { version })))).toBe('NO_REPLICA');
    }
    expect(await codeOf(serving.infer(request('risk', { version: '9' })))).toBe('VERSION_UNKNOWN');
    for (const change of [
      serving.deploy({ name: 'risk', version: '1' }, ACTOR),
      serving.rollback('risk', 'why not', ACTOR),
      serving.undeploy('risk', ACTOR),
    ]) {
      expect(await codeOf(change)).toBe('ROLLOUT_IN_PROGRESS');
    }
    await serving.start();
    expect(serving.view('risk').status).toBe('ready');
    await serving.undeploy('risk', ACTOR);
    await serving.drain();
  });

  it('starts a replica of an idle deployment for a request', async () => {
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
