/** The arithmetic composition in a worker, with functions in place of the deployments that it calls. */
import { stringTensor, tensor, values, type NumericTensor } from '@skein/onnx';
import type { VersionRecord } from '@skein/state';
import type {
  InferenceAnswer,
  InferenceRequest,
  ReplicaSnapshot,
  ServingObserver,
  TargetRequest,
} from '../../contract.ts';
import { CompositionTarget } from '../composition-target.ts';

export const clock = { now: () => performance.now() };
export const modulePath = new URL('./arithmetic.ts', import.meta.url).pathname;

export const record: VersionRecord = {
  model: 'arithmetic',
  version: '1',
  kind: 'composition',
  digest: '0',
  sizeBytes: 0,
  signature: { inputs: [], outputs: [] },
  metadata: {},
  createdAt: '',
};

export type Infer = (request: InferenceRequest) => Promise<InferenceAnswer>;

export interface Scene {
  readonly target: CompositionTarget;
  readonly calls: InferenceRequest[];
  readonly replicas: ReplicaSnapshot[];
  readonly logged: unknown[];
  readonly observed: { answered: number; refused: string[] };
  /** Outcomes of the composition's calls. */
  infer: Infer;
}

/** The two deployments that the composition calls, as plain functions. */
export const arithmetic = async (request: InferenceRequest): Promise<InferenceAnswer> => {
  const x = values(request.inputs.get('x') as NumericTensor) as Float32Array;
  const change = request.deployment === 'double' ? (v: number) => v * 2 : (v: number) => v + 1;
  return answerOf(tensor('float32', [x.length], x.map(change)));
};

export const answerOf = (x: NumericTensor): InferenceAnswer => ({
  version: '1',
  outputs: new Map([['x', x]]),
  times: { queueMs: 0, computeMs: 0, batchRows: 1 },
  cached: false,
});

export async function openScene(infer: Infer = arithmetic): Promise<Scene> {
  const calls: InferenceRequest[] = [];
  const replicas: ReplicaSnapshot[] = [];
  const logged: unknown[] = [];
  const observed = { answered: 0, refused: [] as string[] };
  const observer: ServingObserver = {
    answered: () => void observed.answered++,
    refused: (_request, error) => void observed.refused.push(error.code),
    batchRan: () => {},
    replicaChanged: (_deployment, _version, replica) => void replicas.push(replica),
  };
  const target = new CompositionTarget({
    deployment: 'arithmetic',
    record,
    modulePath,
    maxQueue: 64,
    objectiveMs: 1000,
    startTimeoutMs: 60_000,
    weightOf: (tenant) => (tenant === 'large' ? 3 : 1),
    finiteOnly: true,
    clock,
    observer,
    infer: (request) => {
      calls.push(request);
      return made.infer(request);
    },
    log: (message, details) => void logged.push({ message, ...details }),
  });
  const made: Scene = { target, calls, replicas, logged, observed, infer };
  target.scaleTo(1);
  await target.whenReady();
  return made;
}

let lastId = 0;
export function request(
  ask: string,
  x: readonly number[],
  more: Partial<TargetRequest> = {},
): TargetRequest {
  const now = clock.now();
  return {
    id: `r${++lastId}`,
    deployment: 'arithmetic',
    inputs: new Map<string, NumericTensor | ReturnType<typeof stringTensor>>([
      ['ask', stringTensor([1], [ask])],
      ['x', tensor('float32', [x.length], Float32Array.from(x))],
    ]),
    arrivedAt: now,
    deadline: now + 10_000,
    priority: 2,
    tenant: 'clinic',
    protocol: 'http',
    ...more,
  };
}
