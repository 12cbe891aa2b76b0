/**
 * Where a gradient graph is cut so that gradients can be sent while the rest is computed.
 *
 * Backward, the parameters of the last layers come first, and they are the last in the numbers of a
 * step. So the numbers are cut from their end into *buckets* of some size, and each stage makes those
 * of one; head and statistics go with the last. That is how PyTorch's DistributedDataParallel does it:
 * Li et al., "PyTorch Distributed: Experiences on Accelerating Data Parallel Training" (VLDB 2020), §3.2.
 */
import { gradientName, inStages, OnnxError, writeModel, type Model } from '@skein/onnx';
import type { GradientStep } from '../gradient-step.ts';
import { bytesPerNumber, lengthOf } from '../numbers.ts';
import { HEAD } from '../replica.ts';
import type { Stage } from '../rank-plan.ts';

/** Smallest size of gradients that gets a stage: on a link of 1 Gbit/s they take 17 ms. */
export const BUCKET_BYTES = 2 << 20;

/**
 * @param bucketBytes of gradients per stage; Infinity: one stage.
 * @returns in the order in which they run.
 */
export function stagesOf(
  { gradient, parameters, statistics, lossType: type }: GradientStep,
  bucketBytes: number,
): readonly Stage[] {
  const gradientsAt = HEAD.length + lengthOf(statistics);
  const least = bucketBytes / bytesPerNumber(type);
  const buckets: { from: number; to: number; outputs: string[] }[] = [];
  let at = gradientsAt + lengthOf(parameters);
  for (const each of parameters.toReversed()) {
    let bucket = buckets.at(-1);
    if (bucket === undefined || bucket.to - bucket.from >= least) {
      bucket = { from: at, to: at, outputs: [] };
      buckets.push(bucket);
    }
    at -= lengthOf([each]);
    bucket.from = at;
    bucket.outputs.push(gradientName(each.name));
  }
  const whole = [{ graph: writeModel(gradient), from: 0, to: gradientsAt + lengthOf(parameters) }];
  const last = buckets.at(-1);
  if (last === undefined || buckets.length === 1) return whole;
  const gradients = new Set(buckets.flatMap(({ outputs }) => outputs));
  const others = gradient.graph!.output.filter(({ name }) => !gradients.has(name));
  last.from = 0;
  last.outputs.push(...others.map(({ name }) => name));
  const graphs = cut(
    gradient,
    buckets.map(({ outputs }) => outputs),
  );
  // A stage without nodes: earlier stages needed all of its values.
  if (graphs.length === 0 || graphs.some(({ graph }) => graph!.node.length === 0)) return whole;
  return graphs.map((graph, i) => ({
    graph: writeModel(graph),
    from: buckets[i]!.from,
    to: buckets[i]!.to,
  }));
}

/** Empty when the stage of some value is not known: then the graph stays whole. */
function cut(model: Model, groups: readonly (readonly string[])[]): readonly Model[] {
  try {
    return inStages(model, groups);
  } catch (error) {
    if (error instanceof OnnxError && error.kind === 'unsupported') return [];
    throw error;
  }
}
