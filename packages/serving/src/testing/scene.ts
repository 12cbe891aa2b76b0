/** A serving plane over scripted targets and an in-memory state, with versions registered by one call. */
import { tensor } from '@skein/onnx';
import { SkeinError } from '@skein/api';
import { openSqliteState, type State, type VersionRecord } from '@skein/state';
import type { Registry } from '../registry/contract.ts';
import type { InferenceRequest, ServingObserver } from '../contract.ts';
import { createServing, type Serving, type ServingOptions } from '../serving.ts';
import { ScriptedTarget, SIGNATURE, type Script } from './scripted-target.ts';

export interface Scene {
  readonly serving: Serving;
  readonly state: State;
  /** Targets in the order of their creation. */
  readonly targets: ScriptedTarget[];
  readonly observed: { answered: InferenceRequest[]; refused: string[] };
  /** Registers the next version of a model. */
  version(model: string, script?: Script, kind?: VersionRecord['kind']): Promise<VersionRecord>;
  /** Reasons of the history by kind, oldest first. */
  history(deployment: string): Promise<string[]>;
  /** A second node over the same state: one after a restart, or another member of a fleet. */
  restart(options?: SceneOptions): Scene;
}

export interface SceneOptions {
  readonly cores?: number;
  readonly random?: () => number;
  readonly now?: () => number;
  readonly desired?: ServingOptions['desired'];
  readonly peers?: ServingOptions['peers'];
  readonly placing?: ServingOptions['placing'];
  /** The state of the first scene, as this node reaches it. */
  readonly reach?: (state: State) => State;
}

export const ACTOR = 'tester';

export async function openScene(options: SceneOptions = {}): Promise<Scene> {
  return sceneOver(await openSqliteState(':memory:'), new Map(), options);
}

function sceneOver(state: State, scripts: Map<string, Script>, options: SceneOptions): Scene {
  const targets: ScriptedTarget[] = [];
  const observed = { answered: [] as InferenceRequest[], refused: [] as string[] };
  const observer: ServingObserver = {
    answered: (request) => void observed.answered.push(request),
    refused: (_request, error) => void observed.refused.push(error.code),
    batchRan: () => {},
    replicaChanged: () => {},
  };
  const reached = options.reach?.(state) ?? state;
  const registry: Registry = {
    async version(model, version) {
      const record = await reached.version(model, version);
      if (record === undefined) {
        throw new SkeinError('VERSION_UNKNOWN', `Model "${model}" has no version "${version}".`);
      }
      return record;
    },
    versions: (model) => state.versions(model),
    pathOf: async () => '/dev/null',
    importModel: () => Promise.reject(new Error('not part of the scene')),
    importComposition: () => Promise.reject(new Error('not part of the scene')),
    removeVersion: (model, version) => state.removeVersion(model, version),
  };
  const serving = createServing({
    state: reached,
    registry,
    runtime: { name: 'native', open: () => Promise.reject(new Error('not part of the scene')) },
    clock: { now: options.now ?? (() => performance.now()) },
    observer,
    cores: options.cores ?? 8,
    random: options.random,
    desired: options.desired,
    peers: options.peers,
    placing: options.placing,
    makeTarget: (plan) => {
      const target = new ScriptedTarget(
        plan,
        scripts.get(`${plan.record.model}/${plan.record.version}`) ?? {},
      );
      targets.push(target);
      return target;
    },
  });
  return {
    serving,
    state,
    targets,
    observed,
    async version(model, script = {}, kind = 'onnx') {
      const record = await state.addVersion({
        model,
        kind,
        digest: String(scripts.size).padStart(64, '0'),
        sizeBytes: 1,
        signature: SIGNATURE,
        metadata: {},
      });
      scripts.set(`${model}/${record.version}`, script);
      return record;
    },
    async history(deployment) {
      const entries = await state.history({ deployment, limit: 100 });
      return entries.reverse().map(({ kind, reason }) => `${kind}: ${reason}`);
    },
    restart: (other = options) => sceneOver(state, scripts, other),
  };
}

export function request(
  deployment: string,
  more: Partial<InferenceRequest> = {},
): InferenceRequest {
  return {
    id: 'r',
    deployment,
    inputs: new Map([['x', tensor('float32', [1, 1], Float32Array.of(1))]]),
    arrivedAt: performance.now(),
    priority: 0,
    tenant: 'default',
    protocol: 'http',
    ...more,
  };
}

export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'succeeded';
  } catch (error) {
    return error instanceof SkeinError ? error.code : String(error);
  }
}
