/**
 * One training step as one ONNX model: forward pass, loss, gradients, clipping and the optimiser's
 * update. Inputs are a batch, the learning rate, and everything that a step changes; outputs are the
 * loss and the changed values, under names with `next/` before them. Only standard operators occur,
 * so that the same step runs natively and in WebAssembly.
 */
import {
  gradientName,
  GraphBuilder,
  signatureOf,
  tensor,
  withGraph,
  type ClassIndices,
  type Model,
  type TensorSpec,
} from '@skein/onnx';
import type { Clipping } from '../optimisers/clip.ts';
import type { Optimiser } from '../optimisers/optimiser.ts';
import {
  emitUpdates,
  LEARNING_RATE,
  nextOf,
  type FloatType,
  type Kept,
  type Slope,
} from '../optimisers/updates.ts';
import {
  differentiated,
  joined,
  plainGradient,
  scaledGradient,
  type Differentiated,
  type GradientChoice,
} from './differentiated.ts';

export interface TrainingStepOptions extends GradientChoice {
  readonly optimiser: Optimiser;
  readonly clip?: Clipping | undefined;
  /** Batches of equal size whose gradients are averaged into one step; default 1. */
  readonly accumulate?: number;
  /** Targets that are indices of classes, as `withLoss` names them: `train` refuses others. */
  readonly indices?: ClassIndices | undefined;
}

export interface TrainingStep extends Pick<Differentiated, 'parameters' | 'dropouts' | 'initial'> {
  /** The step. Its outputs are the loss and `next/…` of all parameters, statistics and state. */
  readonly model: Model;
  /** Adds a batch's gradients to `sums` instead of updating; only with `accumulate`. */
  readonly accumulating?: Model;
  /** Inputs of one batch. */
  readonly inputs: readonly TensorSpec[];
  /** Inputs among them that are indices of classes. */
  readonly indices?: ClassIndices | undefined;
  /** Name of the loss among the outputs. */
  readonly loss: string;
  readonly lossType: FloatType;
  /** Running statistics of normalisations, which a step updates; not while accumulating. */
  readonly statistics: readonly Kept[];
  /** State of the optimiser, zero before the first step. */
  readonly state: readonly Kept[];
  /** Sums of gradients between the batches of one step; zero before the first and after each step. */
  readonly sums: readonly Kept[];
}

/**
 * @throws OnnxError when a node cannot be differentiated, naming it.
 * @throws TrainError `model` when nothing is left to train, or parameters have mixed or unfit types.
 */
export function trainingStep(model: Model, options: TrainingStepOptions): TrainingStep {
  const { loss, optimiser, clip, accumulate = 1, indices } = options;
  const lean = optimiser.linear === true && clip === undefined && accumulate === 1;
  const {
    model: bare,
    type,
    parameters,
    statistics,
    dropouts,
    initial,
  } = differentiated(model, options, (open, type) =>
    lean ? scaledGradient(open, type, options, minusRate(type)) : plainGradient(open, options),
  );
  const whole = withStatistics(bare, statistics);
  const update = new GraphBuilder('update');
  const gradients = parameters.map(({ name }) => gradientName(name));
  const sums =
    accumulate === 1 ? [] : parameters.map((each) => ({ ...each, name: sumOf(each.name) }));
  const slopes = parameters.map((parameter, i) => ({ parameter, gradient: gradients[i]! }));
  const averaged = accumulate === 1 ? slopes : withMeans(update, slopes, sums, accumulate);
  const state = emitUpdates(update, averaged, optimiser, { clip, lean });
  return {
    model: joined(whole, update),
    ...(accumulate === 1 ? {} : { accumulating: joined(bare, gathering(slopes, sums)) }),
    inputs: signatureOf(model).inputs,
    indices,
    loss,
    lossType: type,
    parameters,
    statistics,
    state,
    sums,
    dropouts,
    initial,
  };
}

/**
 * −η, by which a gradient may be scaled where it begins: then an update is a sum, which ONNX
 * Runtime fuses with the matrix product that computes the gradient.
 */
function minusRate(type: FloatType): (builder: GraphBuilder) => string {
  return (builder) => {
    builder.input(LEARNING_RATE, type, []);
    return builder.node('Neg', [LEARNING_RATE], {}, { name: 'update/minus_rate' })[0];
  };
}

function sumOf(parameter: string): string {
  return `sum/${parameter}`;
}

function withStatistics(model: Model, statistics: readonly Kept[]): Model {
  const border = new GraphBuilder('statistics');
  for (const { name, type, shape } of statistics) border.output(nextOf(name), type, shape);
  return withGraph(model, { output: [...model.graph!.output, ...border.graph().output] });
}

/** Writes `(sum + gradient) / batches` for every parameter. */
function withMeans(
  graph: GraphBuilder,
  slopes: readonly Slope[],
  sums: readonly Kept[],
  batches: number,
): readonly Slope[] {
  const { type } = sums[0]!;
  const array = type === 'float64' ? Float64Array : Float32Array;
  const share = graph.initializer('update/share', tensor(type, [], new array([1 / batches])));
  return slopes.map(({ parameter, gradient }, i) => {
    const { name, shape } = sums[i]!;
    const sum = graph.input(name, type, shape);
    const [all] = graph.node('Add', [sum, gradient], {}, { name: `update/all/${parameter.name}` });
    const [mean] = graph.node('Mul', [all, share], {}, { name: `update/mean/${parameter.name}` });
    return { parameter, gradient: mean };
  });
}

/** Adds the gradients of one batch to the sums. */
function gathering(slopes: readonly Slope[], sums: readonly Kept[]): GraphBuilder {
  const graph = new GraphBuilder('gathering');
  slopes.forEach(({ gradient }, i) => {
    const { name, type, shape } = sums[i]!;
    const outputs = [nextOf(name)];
    graph.node(
      'Add',
      [graph.input(name, type, shape), gradient],
      {},
      { outputs, name: outputs[0]! },
    );
    graph.output(nextOf(name), type, shape);
  });
  return graph;
}
