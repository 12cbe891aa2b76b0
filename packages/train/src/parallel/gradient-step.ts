/**
 * A training step split in two, so that several ranks can share it: a *gradient graph*, which each
 * rank runs on its part of the batch, and an *update graph*, which is run on the sums of all ranks.
 *
 * The gradient graph returns sums, not means: the loss, the gradients and the running statistics,
 * each times the weight of the part (the sum of its rows' weights). Sums of parts of any size add
 * up to the sum of the whole, so that a part that is shorter, padded or empty has its correct
 * weight, and one division by the total weight gives the mean.
 *
 * BatchNormalization normalises each part by its own rows, as PyTorch's DistributedDataParallel does,
 * and the running statistics are the weighted mean of the parts': the mean is exactly the mean of the whole
 * batch, the variance lacks the differences between the means of the parts.
 */
import { gradientName, GraphBuilder, signatureOf, withGraph, type Model } from '@skein/onnx';
import type { Clipping } from '../optimisers/clip.ts';
import type { Optimiser } from '../optimisers/optimiser.ts';
import { nextOf, STEP, stateOf, type Kept } from '../optimisers/updates.ts';
import {
  differentiated,
  joined,
  scaledGradient,
  type GradientChoice,
} from '../step/differentiated.ts';
import type { TrainingStep } from '../step/training-step.ts';

export interface GradientStepOptions extends GradientChoice {
  /**
   * Name of the scalar that the loss was divided by; `withLoss` gives it. Without it, every part counts
   * the same: then all must have the same number of rows, and none may be padded.
   */
  readonly weight?: string | undefined;
  readonly optimiser: Optimiser;
  readonly clip?: Clipping | undefined;
}

export interface GradientStep extends Pick<
  TrainingStep,
  'inputs' | 'loss' | 'lossType' | 'parameters' | 'statistics' | 'state' | 'dropouts' | 'initial'
> {
  /** Inputs: a part of a batch, parameters, statistics. Outputs: `sum/…` of loss, weight, statistics, gradients. */
  readonly gradient: Model;
  readonly optimiser: Optimiser;
  readonly clip?: Clipping | undefined;
}

/** Names among the outputs of a gradient graph. */
export const LOSS_SUM = 'sum/loss';
export const WEIGHT_SUM = 'sum/weight';

/** Name of the output that holds a statistic times the weight. */
export function statisticSumOf(statistic: string): string {
  return `sum/statistic/${statistic}`;
}

/**
 * @param model for as many rows as one rank takes of a batch.
 * @throws OnnxError when a node cannot be differentiated, naming it.
 * @throws TrainError `model` when nothing is left to train, or parameters have mixed or unfit types.
 */
export function gradientStep(model: Model, options: GradientStepOptions): GradientStep {
  const { optimiser, clip, weight: weighed } = options;
  const {
    model: bare,
    type,
    ...kept
  } = differentiated(model, options, (open, type) =>
    scaledGradient(open, type, options, (builder) => weighed ?? one(builder, type)),
  );
  const sums = new GraphBuilder('sums');
  const weight = weighed ?? WEIGHT_OF_ONE;
  const times = (value: string, name: string, shape: readonly number[]) => {
    sums.node('Mul', [value, weight], {}, { outputs: [name], name });
    sums.output(name, type, shape);
  };
  times(options.loss, LOSS_SUM, []);
  sums.node('Identity', [weight], {}, { outputs: [WEIGHT_SUM], name: WEIGHT_SUM });
  sums.output(WEIGHT_SUM, type, []);
  for (const { name, shape } of kept.statistics) times(nextOf(name), statisticSumOf(name), shape);
  for (const { name, shape } of kept.parameters) sums.output(gradientName(name), type, shape);
  return {
    ...kept,
    gradient: joined(withGraph(bare, { output: [] }), sums),
    inputs: signatureOf(model).inputs,
    loss: options.loss,
    lossType: type,
    state: stateFor(optimiser, kept.parameters),
    optimiser,
    clip,
  };
}

const WEIGHT_OF_ONE = 'sum/one';

function one(builder: GraphBuilder, type: Kept['type']): string {
  const numbers = type === 'float64' ? new Float64Array([1]) : new Float32Array([1]);
  const bytes = new Uint8Array(numbers.buffer);
  return builder.initializer(WEIGHT_OF_ONE, { type, shape: [], bytes });
}

/** The optimiser's state of each parameter, under the names that a step in one graph has for it. */
function stateFor(optimiser: Optimiser, parameters: readonly Kept[]): readonly Kept[] {
  const number: Kept = { name: STEP, type: 'float64', shape: [] };
  return [
    ...(optimiser.counts ? [number] : []),
    ...parameters.flatMap((each) =>
      optimiser.slots.map((slot) => ({ ...each, name: stateOf(optimiser.name, slot, each.name) })),
    ),
  ];
}
