/**
 * The thread of a staged gradient graph: receives feeds, writes outputs into shared memory, and
 * reports each stage.
 */
import { serve } from '@skein/calls/serve';
import {
  elementCount,
  elementSize,
  readModel,
  signatureOf,
  type NumericTensor,
  type TensorSpec,
} from '@skein/onnx';
import type { OpenGraph, Tensors } from '../../run/backend.ts';
import { nativeBackend } from '../../run/native-backend.ts';
import type { StageCalls } from './stage-thread.ts';

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

const open: OpenStage[] = [];

const calls: StageCalls = {
  async open(given) {
    for (const bytes of given.stages) open.push(await openStage(bytes, given.threads));
  },
  async *run({ feeds, into }) {
    const values = new Map(feeds);
    for (const [stage, each] of open.entries()) {
      await runStage(each, values, into);
      yield stage;
    }
  },
  async close() {
    await Promise.all(open.map(({ graph }) => graph.close()));
  },
};
serve(calls);
