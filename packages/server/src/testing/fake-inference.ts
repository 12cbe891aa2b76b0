/**
 * An in-memory serving plane for tests of the faces: it answers at once with a function of the
 * request, and records the requests.
 */
import { DeploymentSettings, SkeinError } from '@skein/api';
import type { Signature, TensorMap } from '@skein/onnx';
import type { DeployedModel, Inference, InferenceAnswer, InferenceRequest } from '@skein/serving';
import type { Access, Caller, Scope } from '../access/contract.ts';

/** Accepts any inputs and returns them under the same names. */
const ECHO: Signature = {
  inputs: [{ name: 'x', type: 'float32', shape: ['batch', null] }],
  outputs: [{ name: 'x', type: 'float32', shape: ['batch', null] }],
};

export interface FakeInference extends Inference {
  readonly requests: InferenceRequest[];
  /** The function of a deployment; default: return a copy of its inputs. */
  answer: (request: InferenceRequest) => TensorMap | Promise<TensorMap>;
  readonly models: Map<string, DeployedModel>;
}

export function deployedModel(name: string, overrides: Partial<DeployedModel> = {}): DeployedModel {
  return {
    name,
    version: '1',
    versions: ['1'],
    signature: ECHO,
    kind: 'onnx',
    ready: true,
    maxBatchRows: 1,
    objectiveMs: 500,
    maxReplicas: 1,
    settings: DeploymentSettings.parse({}),
    ...overrides,
  };
}

export function fakeInference(...models: DeployedModel[]): FakeInference {
  const byName = new Map(models.map((model) => [model.name, model]));
  const requests: InferenceRequest[] = [];
  const find = (name: string, version?: string): DeployedModel => {
    const model = byName.get(name);
    if (model === undefined)
      throw new SkeinError('MODEL_UNKNOWN', `Request for unknown model: '${name}' is not found.`);
    if (version !== undefined && !model.versions.includes(version)) {
      throw new SkeinError('VERSION_UNKNOWN', `"${name}" has no version "${version}".`);
    }
    return model;
  };
  const fake: FakeInference = {
    requests,
    models: byName,
    // Inputs are freed when they have been answered.
    answer: ({ inputs }) => structuredClone(inputs),
    async infer(request): Promise<InferenceAnswer> {
      requests.push(request);
      const model = find(request.deployment, request.version);
      const outputs = await fake.answer(request);
      return {
        version: request.version ?? model.version,
        outputs,
        times: { queueMs: 1.25, computeMs: 2.5, batchRows: 3 },
        cached: false,
      };
    },
    describe: find,
    list: () => [...byName.values()],
    isReady(name, version) {
      const model = byName.get(name);
      if (model === undefined || !model.ready) return false;
      return version === undefined || model.versions.includes(version);
    },
  };
  return fake;
}

export interface FakeAccess extends Access {
  /** Requests between `enter` and `leave`. */
  inFlight: number;
  /** Ends every key: calls all watchers. */
  endKeys(): void;
}

/** Admits every caller, or only callers with one of `keys`, with its scopes. */
export function fakeAccess(keys?: Readonly<Record<string, readonly Scope[]>>): FakeAccess {
  const watching = new Set<(error: SkeinError) => void>();
  const access: FakeAccess = {
    inFlight: 0,
    authorize(authorization, scope): Caller {
      if (keys === undefined)
        return { actor: 'local', tenant: 'default', scopes: ['infer', 'read', 'jobs', 'admin'] };
      const key = authorization?.replace('Bearer ', '');
      if (key === undefined) throw new SkeinError('KEY_MISSING', 'No key was sent.');
      const scopes = keys[key];
      if (scopes === undefined) throw new SkeinError('KEY_INVALID', 'The key is unknown.');
      if (!scopes.includes(scope))
        throw new SkeinError('SCOPE_MISSING', `The key lacks "${scope}".`);
      return { actor: key, tenant: `tenant-${key}`, scopes };
    },
    enter() {
      access.inFlight++;
    },
    leave() {
      access.inFlight--;
    },
    watch(_caller, onEnd) {
      watching.add(onEnd);
      return () => watching.delete(onEnd);
    },
    endKeys() {
      for (const onEnd of watching) onEnd(new SkeinError('KEY_INVALID', 'The key has ended.'));
    },
  };
  return access;
}

/** Fails a test that logs an unexpected fault. */
export const strictLogger = {
  error(details: object, message: string): void {
    throw new Error(`${message} ${JSON.stringify(details)}`, { cause: details });
  },
  warn(): void {},
  debug(): void {},
};
