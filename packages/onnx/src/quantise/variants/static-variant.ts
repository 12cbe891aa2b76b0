/**
 * The static variant: ranges of activations by the method that gives the least error on the samples
 * themselves, and corrected biases where these lower it further.
 */
import { observe, rangesOf } from '../calibration/calibrate.ts';
import { METHODS } from '../calibration/range.ts';
import { biasShift, inputAxis } from '../correct-bias.ts';
import { withOpen, type Evaluator } from '../evaluator.ts';
import type { Range } from '../grid.ts';
import { layersOf, type Layer } from '../layers.ts';
import type { Plan } from '../plan.ts';
import { quantise, valuesToCalibrate, type RewriteOptions } from '../rewrite.ts';
import type { Model } from '../../model/model.ts';
import type { TensorMap } from '../../tensor/tensor.ts';
import { answersOf, differenceOf } from './compare.ts';

/** Batches on which methods are compared. */
const COMPARED = 8;

export interface StaticOptions {
  readonly samples: readonly TensorMap[];
  readonly evaluator: Evaluator;
  readonly weightBits: 7 | 8;
  readonly signal?: AbortSignal | undefined;
}

/** @throws OnnxError as `observe` and `quantise` do; every error of the evaluator. */
export async function staticVariant(
  model: Model,
  plan: Plan,
  { samples, evaluator, weightBits, signal }: StaticOptions,
): Promise<{ readonly model: Model; readonly ranges: ReadonlyMap<string, Range> }> {
  const layers = layersOf(model).filter(({ name }) => plan.get(name) === 'static');
  const values = valuesToCalibrate(model, plan);
  const measured = new Set(values);
  const channels = new Map(
    layers
      .map((layer) => [layer.node.input[0]!, inputAxis(layer)] as const)
      .filter(([name]) => measured.has(name)),
  );
  const observed = await observe(model, values, samples, evaluator, {
    channels,
    ...(signal === undefined ? {} : { signal }),
  });
  const few = samples.slice(0, COMPARED);
  const wanted = await withOpen(evaluator, model, (open) => answersOf(open, few));
  let best: { readonly made: Model; readonly error: number } | undefined;
  const attempt = async (options: RewriteOptions): Promise<boolean> => {
    signal?.throwIfAborted();
    const made = quantise(model, plan, { ...options, weightBits });
    const found = await withOpen(evaluator, made, (open) => answersOf(open, few));
    const { error } = differenceOf(found, wanted);
    if (best !== undefined && !(error < best.error)) return false;
    best = { made, error };
    return true;
  };
  let ranges = rangesOf(observed, METHODS[0]);
  for (const method of METHODS) {
    const own = rangesOf(observed, method);
    if (await attempt({ ranges: own })) ranges = own;
  }
  const shifts = new Map<string, Float32Array>();
  for (const layer of layers) {
    const shift = shiftOf(layer, observed.get(layer.node.input[0]!)?.means, weightBits);
    if (shift !== undefined) shifts.set(layer.name, shift);
  }
  if (shifts.size > 0) await attempt({ ranges, shifts });
  return { model: best!.made, ranges };
}

function shiftOf(
  layer: Layer,
  means: Parameters<typeof biasShift>[1] | undefined,
  bits: number,
): Float32Array | undefined {
  return means === undefined ? undefined : biasShift(layer, means, bits);
}
