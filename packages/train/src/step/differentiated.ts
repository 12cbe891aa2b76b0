/**
 * A model and the gradients of its loss as one graph, whose inputs are a batch and all tensors that
 * training changes. An optimiser or a sum of ranks is added to it later.
 */
import {
  elementTypeOf,
  gradient,
  gradientName,
  GraphBuilder,
  tensorOf,
  withGraph,
  type Model,
  type NumericTensor,
} from '@skein/onnx';
import type { FloatType, Kept } from '../optimisers/updates.ts';
import type { Tensors } from '../run/backend.ts';
import { modelError } from '../train-error.ts';
import { trainingForm } from './training-form.ts';

export interface GradientChoice {
  /** Name of the loss, a value with one element. */
  readonly loss: string;
  /** Gradients of the loss that the graph computes already, by the value they belong to. */
  readonly seeds?: Readonly<Record<string, string>>;
  /** Initialisers to train; default: all floating-point ones with axes that the loss depends on. */
  readonly parameters?: readonly string[];
  /** Names of parameters that training does not change. */
  readonly frozen?: RegExp | undefined;
}

export interface Differentiated {
  /** Its only output is the loss; it makes `grad:…` of each parameter and `next/…` of each statistic. */
  readonly model: Model;
  readonly type: FloatType;
  readonly parameters: readonly Kept[];
  /** Running statistics of normalisations. */
  readonly statistics: readonly Kept[];
  /** Dropouts in the model; a step session feeds the keys that decide what they drop, an input of the graph. */
  readonly dropouts: number;
  /** Values of parameters and statistics in the model that was given. */
  readonly initial: Tensors;
}

/**
 * @param differentiate writes the gradient; the inputs of its graph are the tensors that do not
 * change.
 * @throws OnnxError when a node cannot be differentiated, naming it.
 * @throws TrainError `model` when nothing is left to train, or parameters have mixed or unfit types.
 */
export function differentiated(
  model: Model,
  options: GradientChoice,
  differentiate: (open: Model, type: FloatType) => Model,
): Differentiated {
  requireValue(model, options.loss);
  // Without the flags that make a pattern keep the position of its last match.
  const frozen =
    options.frozen && new RegExp(options.frozen, options.frozen.flags.replace(/[gy]/g, ''));
  const { model: learning, statistics, fixed, dropouts } = trainingForm(model, frozen);
  const still = (name: string) =>
    statistics.has(name) || fixed.has(name) || frozen?.test(name) === true;
  const open = withFrozenAsInputs(learning, still);
  // A model of integers has no weights to train either; differentiation names the node that causes
  // it.
  if (typeOf(model) === undefined) plainGradient(open, options);
  const type = typeOf(open);
  if (type === undefined) {
    throw modelError('The model has no weights of float32 or float64 that could be trained.');
  }
  const result = differentiate(open, type);
  const trained = reachedValues(model, result);
  const parameters = [...trained].map(([name, value]) => keptOf(name, value, type));
  if (parameters.length === 0) throw modelError('The model has nothing left to train.');
  const initial = new Map([...trained, ...statistics]);
  return {
    model: withKeptAsInputs(learning, result, options.loss, initial),
    type,
    parameters,
    statistics: [...statistics].map(([name, value]) => keptOf(name, value, type)),
    dropouts,
    initial,
  };
}

export function plainGradient(model: Model, { loss, seeds, parameters }: GradientChoice): Model {
  return gradient(model, {
    loss,
    seeds,
    parameters,
  });
}

/**
 * The gradient times a factor, computed by scaling where the gradient begins: one small
 * multiplication instead of one per parameter.
 */
export function scaledGradient(
  model: Model,
  type: FloatType,
  options: GradientChoice,
  factor: (builder: GraphBuilder) => string,
): Model {
  const builder = new GraphBuilder('scale');
  const scale = factor(builder);
  const { loss, seeds } = options;
  if (seeds === undefined) {
    const [scaled] = builder.node('Mul', [loss, scale], {}, { name: 'update/scaled_loss' });
    const withBoth = joined(withOutput(model, loss, type), builder);
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
  throw modelError(`The model has no value named '${name}' that could be its loss.`);
}

/** The element type of a trainable tensor. */
function typeOf(model: Model): FloatType | undefined {
  for (const each of model.graph!.initializer) {
    const type = elementTypeOf(each.dataType);
    if (each.dims.length > 0 && (type === 'float32' || type === 'float64')) return type;
  }
  return undefined;
}

/** Hides untrained initialisers from differentiation by making them inputs. */
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
      throw modelError(`'${each.name}' lies in another file; inline it before training.`);
    }
    found.set(each.name, value);
  }
  return found;
}

function keptOf(name: string, { type, shape }: NumericTensor, common: FloatType): Kept {
  if (type === common) return { name, type, shape };
  throw modelError(
    `'${name}' is ${type} and other parameters are ${common}; all that is trained together must be of one type, float32 or float64.`,
  );
}

/**
 * The differentiated graph with the loss as its only output, and the tensors that a step changes as
 * inputs.
 */
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

function withOutput(model: Model, name: string, type: FloatType): Model {
  const graph = model.graph!;
  if (graph.output.some((each) => each.name === name)) return model;
  const border = new GraphBuilder('output');
  border.output(name, type, []);
  return withGraph(model, { output: [...graph.output, ...border.graph().output] });
}

/** Two graphs one after the other; the second reads outputs of the first. */
export function joined(model: Model, builder: GraphBuilder): Model {
  const first = model.graph!;
  const second = builder.graph();
  return withGraph(model, {
    node: [...first.node, ...second.node],
    initializer: [...first.initializer, ...second.initializer],
    input: [...first.input, ...second.input],
    output: [...first.output, ...second.output],
  });
}
