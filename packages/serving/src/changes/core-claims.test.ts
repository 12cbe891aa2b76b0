import { describe, expect, it } from 'vitest';
import type { DeploymentSettingsPatch } from '@skein/api';
import { checkLeastThreads, type CoreClaim } from './core-claims.ts';
import { effectiveSettings, mergeSettings } from '../deployment/settings.ts';
import { ACTOR, codeOf, openScene, type Scene } from '../testing/scene.ts';

const CORES = 4;

function claim(patch: DeploymentSettingsPatch = {}, kind: CoreClaim['kind'] = 'onnx'): CoreClaim {
  return { kind, settings: mergeSettings(undefined, patch, CORES) };
}

function refusal(
  asked: CoreClaim,
  others: Record<string, CoreClaim>,
  before?: CoreClaim,
): string | undefined {
  try {
    checkLeastThreads('risk', asked, before, new Map(Object.entries(others)), CORES);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const two = { threads: 1, replicas: { min: 2, max: 2 } };

describe('the minimum threads of all deployments', () => {
  it('fit into the cores, or the error names the deployments that hold them', () => {
    expect(refusal(claim(two), { ocr: claim(two) })).toBeUndefined();
    expect(refusal(claim(two), { ocr: claim(two), fraud: claim() })).toBe(
      `"risk" takes 2 × 1 threads at least, and of the node's 4 cores other deployments hold 3: ` +
        `ocr (2), fraud (1). Undeploy one of them, lower replicas.min or threads, here or there, or set ` +
        `oversubscribe. With --replicas 0..1 it takes cores only while it gets requests.`,
    );
  });

  it('exclude deployments that may oversubscribe, compositions, and those that may go to zero', () => {
    const full = { threads: 4, replicas: { min: 1, max: 1 } };
    const others = {
      a: claim({ ...full, oversubscribe: true }),
      b: claim(full, 'composition'),
      c: claim({ threads: 4, replicas: { min: 0, max: 1 } }),
    };
    expect(refusal(claim(full), others)).toBeUndefined();
    expect(refusal(claim({ ...full, oversubscribe: true }), { a: claim(full) })).toBeUndefined();
  });

  it('may exceed them if a change claims no more', () => {
    const larger = {
      kind: 'onnx' as const,
      settings: effectiveSettings(claim(two).settings.settings, 1),
    };
    expect(refusal(claim(two), { ocr: larger, fraud: larger }, claim(two))).toBeUndefined();
    expect(refusal(claim(two), { ocr: larger, fraud: larger }, claim())).toContain(
      'other deployments hold 4: ',
    );
  });
});

async function deployed(scene: Scene, name: string, settings: DeploymentSettingsPatch = {}) {
  await scene.version(name);
  return codeOf(scene.serving.deploy({ name, version: '1', settings }, ACTOR));
}

describe('a node with two cores', () => {
  it('accepts two deployments, and a third one that goes to zero or oversubscribes', async () => {
    const scene = await openScene({ cores: 2 });
    expect(await deployed(scene, 'a')).toBe('succeeded');
    expect(await deployed(scene, 'b')).toBe('succeeded');
    expect(await deployed(scene, 'c', { replicas: { min: 1 } })).toBe('DEPLOYMENT_INVALID');
    expect(await deployed(scene, 'd', { replicas: { min: 0 } })).toBe('succeeded');
    expect(await deployed(scene, 'e', { oversubscribe: true })).toBe('succeeded');
    expect(scene.serving.views().map(({ name }) => name)).toEqual(['a', 'b', 'd', 'e']);
  });

  it('gives a third one without replicas a thread only while it gets requests', async () => {
    const scene = await openScene({ cores: 2 });
    for (const name of ['a', 'b', 'c']) expect(await deployed(scene, name)).toBe('succeeded');
    const bounds = (name: string) => scene.serving.view(name).settings.replicas;
    expect(['a', 'b', 'c'].map(bounds)).toMatchObject([undefined, undefined, { min: 0, max: 1 }]);
    // Asked for again, they are neither more nor fewer.
    await scene.version('c');
    expect(await codeOf(scene.serving.deploy({ name: 'c', version: '2' }, ACTOR))).toBe(
      'succeeded',
    );
    expect(bounds('c')).toMatchObject({ min: 0, max: 1 });
  });

  it('checks a deploy as it would be done, and changes nothing', async () => {
    const scene = await openScene({ cores: 2 });
    await deployed(scene, 'a');
    await deployed(scene, 'b');
    const check = (
      name: string,
      settings?: DeploymentSettingsPatch,
      kind: CoreClaim['kind'] = 'onnx',
    ) => codeOf((async () => scene.serving.check({ name, kind, settings }))());
    expect(await check('c')).toBe('succeeded');
    expect(await check('c', { replicas: { min: 1 } })).toBe('DEPLOYMENT_INVALID');
    expect(await check('c', { threads: 3 })).toBe('DEPLOYMENT_INVALID');
    expect(await check('a', { replicas: { min: 2 } })).toBe('DEPLOYMENT_INVALID');
    expect(await check('a', {}, 'composition')).toBe('DEPLOYMENT_INVALID');
    expect(await check('a', { maxQueue: 7 })).toBe('succeeded');
    expect(scene.serving.views().map(({ name }) => name)).toEqual(['a', 'b']);
  });

  it('refuses settings and versions that claim more, and accepts those that do not', async () => {
    const scene = await openScene({ cores: 2 });
    await deployed(scene, 'a');
    await deployed(scene, 'b');
    await scene.version('b');
    const { serving } = scene;
    const settings = { threads: 2, replicas: { max: 1 } };
    expect(await codeOf(serving.changeSettings('b', settings, ACTOR))).toBe('DEPLOYMENT_INVALID');
    const deploy = (more: DeploymentSettingsPatch = {}): Promise<string> =>
      codeOf(serving.deploy({ name: 'b', version: '2', settings: more }, ACTOR));
    expect(await deploy(settings)).toBe('DEPLOYMENT_INVALID');
    expect(await deploy()).toBe('succeeded');
    await serving.undeploy('a', ACTOR);
    expect(await codeOf(serving.changeSettings('b', settings, ACTOR))).toBe('succeeded');
  });

  it('gives its last core to one of two concurrent changes', async () => {
    const scene = await openScene({ cores: 2 });
    await deployed(scene, 'a');
    const one = { replicas: { min: 1 } };
    const outcomes = await Promise.all([deployed(scene, 'b', one), deployed(scene, 'c', one)]);
    expect(outcomes.toSorted()).toEqual(['DEPLOYMENT_INVALID', 'succeeded']);
  });
});
