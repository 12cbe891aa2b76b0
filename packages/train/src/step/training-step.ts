/**
 * One training step as one ONNX model: forward pass, loss, gradients, clipping and the optimiser's
 * update. Inputs are a batch, the learning rate, and everything that a step changes; outputs are the
 * loss and the changed values, under names with `next/` before them. Only standard operators occur,
 * so that the same step runs natively and in WebAssembly.
 */
import {
  elementTypeOf,
  gradient,
  gradientName,
  GraphBuilder,
  signatureOf,
  tensor,
  tensorOf,
  withGraph,
  type Model,
  type NumericTensor,
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
import type { Tensors } from '../run/backend.ts';
import { TrainError } from '../train-error.ts';
import { trainingForm } from './training-form.ts';

export interface TrainingStepOptions {
  /** Name of the loss, a value with one element. */
  readonly loss: string;
  /** Gradients of the loss that the graph computes already, by the value they belong to. */
  readonly seeds?: Readonly<Record<string, string>>;
  readonly optimiser: Optimiser;
  /** Initialisers to train; default: all floating-point ones with axes that the loss depends on. */
  readonly parameters?: readonly string[];
  /** Names of parameters that stay as they are. */
  readonly frozen?: RegExp;
  readonly clip?: Clipping;
  /** Batches of equal size whose gradients are averaged into one step; default 1. */
  readonly accumulate?: number;
}

export interface TrainingStep {
  /** The step. Its outputs are the loss and `next/…` of all parameters, statistics and state. */
  readonly model: Model;
  /** Adds a batch's gradients to `sums` instead of updating; only with `accumulate`. */
  readonly accumulating?: Model;
  /** What one batch consists of. */
  readonly inputs: readonly TensorSpec[];
  /** Name of the loss among the outputs. */
  readonly loss: string;
  readonly lossType: FloatType;
  readonly parameters: readonly Kept[];
  /** Running statistics of normalisations, which a step changes by the way; not while accumulating. */
  readonly statistics: readonly Kept[];
  /** What the optimiser keeps, zero before the first step. */
  readonly state: readonly Kept[];
  /** Sums of gradients between the batches of one step; zero before the first and after each step. */
  readonly sums: readonly Kept[];
  /** Values of parameters and statistics in the model that was given. */
  readonly initial: Tensors;
}

/**
 * @throws OnnxError when a node cannot be differentiated, naming it.
 * @throws TrainError `model` when nothing is left to train, or parameters are of mixed or unfit types.
 */
export function trainingStep(model: Model, options: TrainingStepOptions): TrainingStep {
  const { loss, optimiser, clip, accumulate = 1 } = options;
  requireValue(model, loss);
  // Without the flags that let a pattern remember where its last match ended.
  const frozen =
    options.frozen && new RegExp(options.frozen, options.frozen.flags.replace(/[gy]/g, ''));
  const lean = optimiser.linear === true && clip === undefined && accumulate === 1;
  const { model: learning, statistics, fixed } = trainingForm(model, frozen);
  const still = (name: string) =>
    statistics.has(name) || fixed.has(name) || frozen?.test(name) === true;
  const open = withFrozenAsInputs(learning, still);
  const type = typeOf(open);
  const differentiated = lean ? scaledGradient(open, type, options) : plainGradient(open, options);
  const trained = reachedValues(model, differentiated);
  const parameters = [...trained].map(([name, value]) => keptOf(name, value, type));
  if (parameters.length === 0)
    throw new TrainError('model', 'The model has nothing left to train.');
  const carried = [...statistics].map(([name, value]) => keptOf(name, value, type));
  const initial = new Map([...trained, ...statistics]);
  const bare = withKeptAsInputs(learning, differentiated, loss, initial);
  const whole = withStatistics(bare, carried);
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
    loss,
    lossType: type,
    parameters,
    statistics: carried,
    state,
    sums,
    initial,
  };
}

function sumOf(parameter: string): string {
  return `sum/${parameter}`;
}

function plainGradient(model: Model, { loss, seeds, parameters }: TrainingStepOptions): Model {
  return gradient(model, {
    loss,
    ...(seeds === undefined ? {} : { seeds }),
    ...(parameters === undefined ? {} : { parameters }),
  });
}

/**
 * The gradient times −η, made by scaling where the gradient begins: one small multiplication instead
 * of one for every parameter, and then an update is a sum, which ONNX Runtime takes into the matrix
 * product that makes the gradient.
 */
function scaledGradient(model: Model, type: FloatType, options: TrainingStepOptions): Model {
  const builder = new GraphBuilder('scale');
  builder.input(LEARNING_RATE, type, []);
  const [scale] = builder.node('Neg', [LEARNING_RATE], {}, { name: 'update/minus_rate' });
  const { loss, seeds } = options;
  if (seeds === undefined) {
    const [scaled] = builder.node('Mul', [loss, scale], {}, { name: 'update/scaled_loss' });
    const withBoth = joined(withOutput(model, loss), builder);
    return plainGradient(withBoth, { ...options, loss: scaled });
  }
  const scaled = Object.entries(seeds).map(([value, seed], i) => {
    const [name] = builder.node('Mul', [seed, scale], {}, { name: `update/scaled_seed_${i}` });
    return [value, name] as const;
  });
  return plainGradient(joined(model, builder), { ...options, seeds: Object.fromEntries(scaled) });
}

function requireValue(model: Model, name: string): void {
  const { input, initializer, node } = model.graph!;
  if ([...input, ...initializer].some((each) => each.name === name)) return;
  if (node.some(({ output }) => output.includes(name))) return;
  throw new TrainError('model', `The model has no value named '${name}' that could be its loss.`);
}

/** The element type of what may be trained. */
function typeOf(model: Model): FloatType {
  for (const each of model.graph!.initializer) {
    const type = elementTypeOf(each.dataType);
    if (each.dims.length > 0 && (type === 'float32' || type === 'float64')) return type;
  }
  throw new TrainError(
    'model',
    'The model has no weights of float32 or float64 that could be trained.',
  );
}

/** Hides from differentiation what is not trained: to it, these are inputs like any other. */
function withFrozenAsInputs(model: Model, still: (name: string) => boolean): Model {
  const graph = model.graph!;
  const hidden = graph.initializer.filter(({ name }) => still(name));
  const border = new GraphBuilder('frozen');
  for (const each of hidden) {
    border.input(each.name, elementTypeOf(each.dataType) ?? 'float32', each.dims.map(Number));
  }
  return withGraph(model, {
    initializer: graph.initializer.filter((each) => !hidden.includes(each)),
    input: [...graph.input, ...border.graph().input],
  });
}

/** The initialisers that have a gradient, with their values. */
function reachedValues(model: Model, differentiated: Model): ReadonlyMap<string, NumericTensor> {
  const outputs = new Set(differentiated.graph!.output.map(({ name }) => name));
  const found = new Map<string, NumericTensor>();
  for (const each of model.graph!.initializer) {
    if (!outputs.has(gradientName(each.name))) continue;
    const value = tensorOf(each);
    if (value === undefined || value.type === 'string') {
      throw new TrainError(
        'model',
        `'${each.name}' lies in another file; inline it before training.`,
      );
    }
    found.set(each.name, value);
  }
  return found;
}

function keptOf(name: string, { type, shape }: NumericTensor, common: FloatType): Kept {
  if (type === common) return { name, type, shape };
  throw new TrainError(
    'model',
    `'${name}' is ${type} and other parameters are ${common}; all that is trained together must be of one type, float32 or float64.`,
  );
}

/** The differentiated graph with nothing but the loss as output, and what a step changes as inputs. */
function withKeptAsInputs(
  model: Model,
  differentiated: Model,
  loss: string,
  trained: ReadonlyMap<string, NumericTensor>,
): Model {
  const graph = differentiated.graph!;
  const original = model.graph!;
  const border = new GraphBuilder('parameters');
  for (const [name, { type, shape }] of trained) border.input(name, type, shape);
  const present = new Set(graph.initializer.map(({ name }) => name));
  const frozen = original.initializer.filter(
    ({ name }) => !present.has(name) && !trained.has(name),
  );
  const hidden = new Set([...frozen.map(({ name }) => name), ...trained.keys()]);
  return withGraph(differentiated, {
    initializer: [...graph.initializer.filter(({ name }) => !trained.has(name)), ...frozen],
    input: [...graph.input.filter(({ name }) => !hidden.has(name)), ...border.graph().input],
    output: graph.output.filter(({ name }) => name === loss),
  });
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

function withOutput(model: Model, name: string): Model {
  const graph = model.graph!;
  if (graph.output.some((each) => each.name === name)) return model;
  const border = new GraphBuilder('output');
  border.output(name, typeOf(model), []);
  return withGraph(model, { output: [...graph.output, ...border.graph().output] });
}

/** One graph after the other; the second reads what the first made. */
function joined(model: Model, builder: GraphBuilder): Model {
  const first = model.graph!;
  const second = builder.graph();
  return withGraph(model, {
    node: [...first.node, ...second.node],
    initializer: [...first.initializer, ...second.initializer],
    input: [...first.input, ...second.input],
    output: [...first.output, ...second.output],
  });
}
