/**
 * The serving plane inside a program that has its own HTTP server: state, models and registry in
 * one folder, ONNX Runtime in worker threads, and the deadlines, queue, batches and refusals of a
 * node. Deployments are restored after a restart.
 */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import {
  refuseUnknown,
  RolloutPlan,
  SkeinError,
  TrafficRange,
  validate,
  type DeploymentSettingsPatch,
  type DeploymentView,
} from '@skein/api';
import { unreadable } from '@skein/api/file-errors';
import { usableThreads } from '@skein/api/machine';
import type { Tensor, TensorMap } from '@skein/onnx';
import { nativeRuntime } from '@skein/runtime';
import {
  type DataFolder,
  openDataFolder,
  openFileArtifacts,
  openState,
  type State,
} from '@skein/state';
import { describeComposition } from './composition/describe-composition.ts';
import { Cancellation, type InferenceAnswer, type ServingObserver } from './contract.ts';
import { createRegistry } from './registry/registry.ts';
import { createServing, type Serving } from './serving.ts';

export interface EmbeddedServingOptions {
  /** Holds the models and deployments; one process at a time. Created if it is missing. */
  readonly folder: string;
  /** Cores that replicas may use. Default: all that the container may use. */
  readonly cores?: number | undefined;
  /** Receives answers and refusals, for metrics. */
  readonly observer?: ServingObserver | undefined;
  /** Receives messages for an operator. Default: stderr. */
  readonly log?: ((message: string, details: Record<string, unknown>) => void) | undefined;
}

export interface EmbeddedServing {
  /**
   * Deploys an ONNX model under a name; for an existing name it becomes the next version. Resolves
   * when it is loaded and warm.
   * @param model its bytes, or the path of its file.
   * @throws SkeinError FILE_UNREADABLE, NODE_DRAINING after `close()`, and as
   *   `Registry.importModel` and `DeploymentControl.deploy` do.
   */
  deploy(
    name: string,
    model: string | Uint8Array,
    settings?: DeploymentSettingsPatch,
  ): Promise<DeploymentView>;
  /**
   * Answers before the deadline or refuses at once, with `retryAfterMs`.
   * @throws SkeinError for every refusal and failure; an HTTP server answers with its `toBody()`
   *   and
   *   `ERRORS[code].http`.
   */
  infer(name: string, inputs: TensorMap, options?: InferOptions): Promise<InferenceAnswer>;
  /** The plane itself: rollouts, settings, views, events. */
  readonly serving: Serving;
  /** Finishes the accepted requests and ends every replica. */
  close(): Promise<void>;
}

export interface InferOptions {
  /** From now on. Default: the objective of the deployment. */
  readonly timeoutMs?: number | undefined;
  readonly tenant?: string | undefined;
  readonly cancellation?: Cancellation | undefined;
}

/** Largest model file. */
const MAX_MODEL_BYTES = 2 ** 36;
const ACTOR = 'local';

const silent: ServingObserver = {
  answered() {},
  refused() {},
  batchRan() {},
  replicaChanged() {},
};

/**
 * @throws SkeinError DATA_FOLDER_LOCKED, DATA_FOLDER_UNUSABLE, STORAGE_FULL, STATE_CORRUPT,
 *   REQUEST_INVALID.
 */
export async function openServing(options: EmbeddedServingOptions): Promise<EmbeddedServing> {
  checkOptions(options);
  const { cores = usableThreads() } = options;
  const folder = await openDataFolder(options.folder);
  let state: State | undefined;
  try {
    state = await openState(folder.databasePath);
    return await servingOn(folder, state, { ...options, cores });
  } catch (error) {
    await state?.close();
    await folder.close();
    throw error;
  }
}

/** Closes both with itself, and neither where it fails. */
async function servingOn(
  folder: DataFolder,
  state: State,
  options: EmbeddedServingOptions & { readonly cores: number },
): Promise<EmbeddedServing> {
  const { cores, observer = silent } = options;
  const log = options.log ?? ((message, details) => console.error(message, details));
  const registry = createRegistry({
    state,
    artifacts: await openFileArtifacts(folder.artifactsPath),
    limits: { maxModelBytes: MAX_MODEL_BYTES },
    describeComposition,
  });
  await registry.removeOrphans();
  const clock = { now: () => performance.now() };
  const plane = createServing({
    state,
    registry,
    runtime: nativeRuntime,
    clock,
    cores,
    observer,
    log,
  });
  await plane.start().catch(async (error: unknown) => {
    await plane.drain();
    throw error;
  });
  const serving = checked(plane);
  let isClosed = false;

  return {
    serving,
    async deploy(name, model, settings) {
      // The folder may be another program's by now: nothing more is written to it.
      if (isClosed) throw new SkeinError('NODE_DRAINING', 'The serving plane has been closed.');
      if (typeof name !== 'string') {
        throw new SkeinError('REQUEST_INVALID', 'name must be a string.');
      }
      const bytes = await bytesOf(model);
      const { version } = await registry.importModel(name, once(bytes), {});
      return serving.deploy({ name, version, settings }, ACTOR);
    },
    async infer(name, inputs, options = {}) {
      checkInputs(inputs);
      checkInferOptions(options);
      const { timeoutMs, tenant = 'default', cancellation } = options;
      const arrivedAt = clock.now();
      return serving.infer({
        id: randomUUID(),
        deployment: name,
        inputs,
        arrivedAt,
        deadline: timeoutMs === undefined ? undefined : arrivedAt + timeoutMs,
        priority: 0,
        tenant,
        cancellation,
        protocol: 'http',
      });
    },
    async close() {
      isClosed = true;
      await serving.drain();
      await state.close();
      await folder.close();
    },
  };
}

/** The plane with the checks of values that an endpoint of a node makes: a program in JavaScript may pass anything. */
function checked(plane: Serving): Serving {
  return {
    ...plane,
    async deploy(request, actor) {
      checkObject('The request', request);
      const { name, version, settings, plan } = request;
      if (typeof name !== 'string' || typeof version !== 'string') {
        throw new SkeinError('REQUEST_INVALID', 'name and version of a request must be strings.');
      }
      if (settings !== undefined) checkObject('settings', settings);
      if (plan !== undefined) validate(RolloutPlan, plan, 'plan');
      return plane.deploy(request, actor);
    },
    async changeSettings(name, settings, actor) {
      checkObject('settings', settings);
      return plane.changeSettings(name, settings, actor);
    },
    traffic(name, range) {
      return plane.traffic(name, validate(TrafficRange, range, 'range'));
    },
  };
}

const OPTIONS: Readonly<Record<keyof EmbeddedServingOptions, true>> = {
  folder: true,
  cores: true,
  observer: true,
  log: true,
};
const INFER_OPTIONS: Readonly<Record<keyof InferOptions, true>> = {
  timeoutMs: true,
  tenant: true,
  cancellation: true,
};

/** Mistakes that a program in JavaScript would only see later, in a request or never. */
function checkOptions(options: EmbeddedServingOptions): void {
  checkObject('The options', options);
  refuseUnknown(options, OPTIONS, 'options object');
  const { cores, log } = options;
  if (cores !== undefined && !(typeof cores === 'number' && cores > 0)) {
    throw new SkeinError('REQUEST_INVALID', 'cores must be a number greater than 0.');
  }
  if (log !== undefined && typeof log !== 'function') {
    throw new SkeinError('REQUEST_INVALID', 'log must be a function.');
  }
  const { observer = silent } = options;
  checkObject('observer', observer);
  for (const name of Object.keys(silent) as (keyof ServingObserver)[]) {
    if (typeof observer[name] === 'function') continue;
    throw new SkeinError('REQUEST_INVALID', `observer must have a function ${name}.`);
  }
}

function checkObject(what: string, value: unknown): void {
  if (typeof value === 'object' && value !== null) return;
  throw new SkeinError('REQUEST_INVALID', `${what} must be an object.`);
}

async function bytesOf(model: string | Uint8Array): Promise<Uint8Array> {
  if (model instanceof Uint8Array) return model;
  if (typeof model !== 'string') {
    throw new SkeinError(
      'REQUEST_INVALID',
      'model must be the bytes of an ONNX model, as a Uint8Array, or the path of its file.',
    );
  }
  return readFile(model).catch((error: unknown) => {
    throw unreadable(model, error);
  });
}

/** Other values than tensors would fail where they are counted, or be read as other numbers. */
function checkInputs(inputs: TensorMap): void {
  if (!(inputs instanceof Map)) {
    throw new SkeinError(
      'REQUEST_INVALID',
      'inputs must be a Map from the names of the inputs to their tensors.',
    );
  }
  for (const [name, input] of inputs as TensorMap) {
    if (isTensor(input)) continue;
    throw new SkeinError(
      'REQUEST_INVALID',
      `Input "${name}" is not a tensor: make it with tensor() or stringTensor() of @skein/onnx.`,
    );
  }
}

/** Types require this; a program in JavaScript may pass anything. */
function isTensor(input: Tensor | null | undefined): boolean {
  if (!Array.isArray(input?.shape)) return false;
  if (input.type !== 'string') return input.bytes instanceof Uint8Array;
  const { elements } = input;
  return Array.isArray(elements) && elements.every((element) => element instanceof Uint8Array);
}

/**
 * A deadline that is not a number would be refused as one that has passed, and something else than a
 * `Cancellation`, such as an AbortSignal, would fail where the run begins.
 */
function checkInferOptions(options: InferOptions): void {
  checkObject('The options of a request', options);
  refuseUnknown(options, INFER_OPTIONS, 'options object of a request');
  const { timeoutMs, tenant, cancellation } = options;
  if (timeoutMs !== undefined && (typeof timeoutMs !== 'number' || Number.isNaN(timeoutMs))) {
    throw new SkeinError('REQUEST_INVALID', 'timeoutMs must be a number of milliseconds.');
  }
  if (tenant !== undefined && typeof tenant !== 'string') {
    throw new SkeinError('REQUEST_INVALID', 'tenant must be a string.');
  }
  if (cancellation !== undefined && !(cancellation instanceof Cancellation)) {
    throw new SkeinError(
      'REQUEST_INVALID',
      'cancellation must be a Cancellation of @skein/serving.',
    );
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
