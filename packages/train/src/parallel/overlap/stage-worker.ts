/**
 * The thread of a staged gradient graph: receives feeds, writes outputs into shared memory, and
 * posts a message after each stage.
 */
import { parentPort, workerData } from 'node:worker_threads';
import {
  elementCount,
  elementSize,
  readModel,
  signatureOf,
  type NumericTensor,
  type TensorSpec,
} from '@skein/onnx';
import { RuntimeFailure } from '@skein/runtime/contract';
import type { OpenGraph, Tensors } from '../../run/backend.ts';
import { nativeBackend } from '../../run/native-backend.ts';

export interface StageThreadData {
  readonly stages: readonly Uint8Array[];
  readonly threads: number;
}

export interface StageRun {
  readonly feeds: Tensors;
  readonly into: Tensors;
}

/** Stage −1: all are open. */
export type StageReply =
  | { readonly stage: number }
  | { readonly failure: { readonly kind: RuntimeFailure['kind']; readonly message: string } };

interface OpenStage {
  readonly graph: OpenGraph;
  readonly inputs: readonly string[];
  readonly outputs: readonly TensorSpec[];
  /** Values for later stages, in memory that is reused for each run. */
  readonly kept: Map<string, NumericTensor>;
}

async function openStage(bytes: Uint8Array, threads: number): Promise<OpenStage> {
  const model = readModel(bytes);
  const { inputs, outputs } = signatureOf(model);
  return {
    graph: await nativeBackend.open(model, { threads }),
    inputs: inputs.map(({ name }) => name),
    outputs,
    kept: new Map(),
  };
}

/** Memory for a value between stages; none when its size is not known in advance. */
function keptFor(
  { name, type, shape }: TensorSpec,
  kept: OpenStage['kept'],
): NumericTensor | undefined {
  const found = kept.get(name);
  if (found !== undefined || type === 'string') return found;
  if (!shape.every((size) => typeof size === 'number')) return undefined;
  const bytes = new Uint8Array(elementCount(shape) * elementSize(type));
  const made: NumericTensor = { type, shape, bytes };
  kept.set(name, made);
  return made;
}

/** Runs one stage; adds its values for later stages to `values`. */
async function runStage(
  { graph, inputs, outputs, kept }: OpenStage,
  values: Map<string, NumericTensor>,
  into: Tensors,
): Promise<void> {
  const feeds = new Map(inputs.map((name) => [name, values.get(name)!]));
  const targets = new Map<string, NumericTensor>();
  for (const each of outputs) {
    const target = into.get(each.name) ?? keptFor(each, kept);
    if (target !== undefined) targets.set(each.name, target);
  }
  const fresh = await graph.run(feeds, targets);
  for (const [name, value] of [...targets, ...fresh]) values.set(name, value);
}

async function serve(
  port: NonNullable<typeof parentPort>,
  { stages, threads }: StageThreadData,
): Promise<void> {
  const reply = (what: StageReply): void => port.postMessage(what, []);
  const fail = (error: unknown): void => {
    const kind = error instanceof RuntimeFailure ? error.kind : 'run';
    reply({ failure: { kind, message: error instanceof Error ? error.message : String(error) } });
  };
  const open: OpenStage[] = [];
  async function run({ feeds, into }: StageRun): Promise<void> {
    const values = new Map(feeds);
    for (const [stage, each] of open.entries()) {
      await runStage(each, values, into);
      reply({ stage });
    }
  }
  port.on('message', (message: StageRun | 'close') => {
    if (message === 'close') {
      void Promise.all(open.map(({ graph }) => graph.close())).finally(() => port.close());
    } else {
      run(message).catch(fail);
    }
  });
  try {
    for (const bytes of stages) open.push(await openStage(bytes, threads));
    reply({ stage: -1 });
  } catch (error) {
    fail(error);
  }
}

if (parentPort) await serve(parentPort, workerData as StageThreadData);
