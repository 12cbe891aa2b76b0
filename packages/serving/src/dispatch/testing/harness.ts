/** A dispatcher of a small perceptron, or of any model, and requests for it. */
import { DeploymentSettings, SkeinError, type DeploymentSettingsInput } from '@skein/api';
import {
  mlp,
  readModel,
  signatureOf,
  tensor,
  values,
  writeModel,
  type NumericTensor,
  type TensorMap,
} from '@skein/onnx';
import { nativeRuntime, type Runtime } from '@skein/runtime';
import { afterEach, expect, vi } from 'vitest';
import type { Clock, ReplicaSnapshot, Target, TargetRequest } from '../../contract.ts';
import { createDispatcher } from '../loop/dispatcher.ts';

/** x [batch, 4] → y [batch, 3]. */
export const MLP = writeModel(mlp({ sizes: [4, 8, 3], seed: 1 }));

export interface Served {
  readonly dispatcher: Target;
  /** Events that the observer received. */
  readonly observed: {
    readonly states: string[];
    readonly batches: number[];
    answered: number;
    readonly refused: string[];
  };
}

let served: Target | undefined;
afterEach(async () => {
  await served?.drain();
  served = undefined;
});

/** Starts a version; it is drained after the test. */
export async function serve(
  model: Uint8Array,
  settings: DeploymentSettingsInput = {},
  runtime: Runtime = nativeRuntime,
  replicas = 1,
  clock: Clock = performance,
): Promise<Served> {
  const observed: Served['observed'] = { states: [], batches: [], answered: 0, refused: [] };
  const dispatcher = createDispatcher({
    deployment: 'model',
    version: '1',
    signature: signatureOf(readModel(model)),
    model: { bytes: model },
    settings: DeploymentSettings.parse(settings),
    runtime,
    clock,
    observer: {
      answered: () => void observed.answered++,
      refused: (_request, error) => void observed.refused.push(error.code),
      batchRan: (_deployment, _version, rows) => void observed.batches.push(rows),
      replicaChanged: (_deployment, _version, { id, state }) =>
        void observed.states.push(`${id} ${state}`),
    },
  });
  served = dispatcher;
  dispatcher.scaleTo(replicas);
  await dispatcher.whenReady();
  return { dispatcher, observed };
}

let nextId = 1;
/** A request with a deadline of ten seconds. */
export function request(x: NumericTensor, more: Partial<TargetRequest> = {}): TargetRequest {
  const now = performance.now();
  return {
    id: String(nextId++),
    deployment: 'model',
    inputs: new Map([['x', x]]),
    arrivedAt: now,
    deadline: now + 10_000,
    priority: 0,
    tenant: 'a',
    protocol: 'internal',
    ...more,
  };
}

/** One row. */
export function row(...numbers: number[]): NumericTensor {
  return tensor('float32', [1, numbers.length], Float32Array.from(numbers));
}

export function numbersOf(outputs: TensorMap, name = 'y'): number[] {
  return [...values(outputs.get(name) as NumericTensor)].map(Number);
}

/** Outcome of a request: `answered`, or the code of its error. */
export function codeOf(answer: Promise<unknown>): Promise<string> {
  return answer.then(
    () => 'answered',
    (error: unknown) => (error instanceof SkeinError ? error.code : String(error)),
  );
}

/** Resolves when the replicas have these states. */
export async function untilStates(
  dispatcher: Target,
  ...states: ReplicaSnapshot['state'][]
): Promise<void> {
  await vi.waitFor(
    () => expect(dispatcher.snapshot().replicas.map(({ state }) => state)).toEqual(states),
    { timeout: 10_000, interval: 5 },
  );
}
