/**
 * Assembles a model from the public part of a table: its columns with their ranges and categories.
 *
 * `assemble` fits the encoding on rows, so that one row moves all others. Where rows must stay
 * private, that is a leak which no noise in the training covers: the encoding must not depend on them.
 */
import { elementCount, liftConstants, signatureOf, withGraph, type Model } from '@skein/onnx';
import { withArrayEncoding, type ArrayEncoding } from '../data/encoding/array-encoding.ts';
import type { Encoder, Feature } from '../data/encoding/encoder.ts';
import { withEncoder } from '../data/encoding/encoding-graph.ts';
import { dataError, modelError } from '../train-error.ts';
import type { NetworkBuilder, NetworkShape } from './assemble.ts';
import { withBlueprint, type Blueprint } from './blueprint.ts';
import { withHead } from './head.ts';
import type { TaskKind } from './task.ts';

/** The least and the greatest number of a column; they become −1 and 1. */
interface Range {
  readonly name: string;
  readonly kind: 'number';
  readonly low: number;
  readonly high: number;
}

/** A tensor for each row, such as the pixels of an image: the only feature of its plan. */
export interface PublicArray {
  readonly name: string;
  readonly kind: 'array';
  readonly type: 'uint8' | 'float32';
  /** Sizes of a row, such as [channels, height, width]. */
  readonly shape: readonly number[];
  /** Become 0 and 1. Default: 0 and 255 of bytes, 0 and 1 of floats. */
  readonly low?: number | undefined;
  readonly high?: number | undefined;
}

export type PublicFeature = PublicColumn | PublicArray;

export type PublicColumn =
  /** `fill` takes the place of a missing number; absent: a missing number is an error. */
  | (Range & { readonly fill?: number | undefined })
  | { readonly name: string; readonly kind: 'category'; readonly categories: readonly string[] };

export interface PublicColumns {
  readonly features: readonly PublicFeature[];
  readonly target:
    | Range
    | { readonly name: string; readonly kind: 'category'; readonly classes: readonly string[] };
}

/** The task of a model that is assembled for a target. */
export function publicTask(target: PublicColumns['target']): TaskKind {
  if (target.kind === 'number') return 'regression';
  return target.classes.length > 2 ? 'classification' : 'binary';
}

/**
 * @param network built for the encoded row; two classes give one logit.
 * @throws TrainError `data` for an empty range or too few categories, `model` when the network does
 *   not fit.
 */
export function assemblePublic(
  { features, target }: PublicColumns,
  network: NetworkBuilder,
  seed: number,
): Model {
  const [array] = features;
  if (array?.kind === 'array') return assembleArray(array, target, network, seed);
  const encoded = features.map(featureOf);
  const classes = target.kind === 'category' ? target.classes : [];
  const widths = encoded.map((each) => (each.kind === 'number' ? 1 : each.categories.length));
  const inputs = widths.reduce((sum, each) => sum + each, 0);
  const { model, blueprint } = headed(target, { inputs, row: [inputs] }, network, seed);
  const { name } = target;
  const table: Encoder = {
    features: encoded,
    target:
      target.kind === 'number' ? { name, kind: 'number' } : { name, kind: 'category', classes },
    width: inputs,
  };
  const whole: Blueprint = { ...blueprint, table };
  return withBlueprint(withEncoder(model, table, signatureOf(model).inputs[0]!.name), whole);
}

/** The network under the readable output of the target. */
function headed(
  target: PublicColumns['target'],
  { inputs, row }: Pick<NetworkShape, 'inputs' | 'row'>,
  network: NetworkBuilder,
  seed: number,
) {
  const classes = target.kind === 'category' ? distinct(target.name, target.classes, 2) : [];
  const task = publicTask(target);
  const outputs = task === 'classification' ? classes.length : 1;
  const built = network({ inputs, row, outputs, seed });
  const scale = target.kind === 'number' ? scaleOf(target) : { mean: 0, deviation: 1 };
  return withHead(built, { task, classes }, scale);
}

function assembleArray(
  { name, type, shape, low = 0, high = type === 'uint8' ? 255 : 1 }: PublicArray,
  target: PublicColumns['target'],
  network: NetworkBuilder,
  seed: number,
): Model {
  scaleOf({ name, kind: 'number', low, high });
  const { model, blueprint } = headed(
    target,
    { inputs: elementCount(shape), row: shape },
    network,
    seed,
  );
  const arrays: ArrayEncoding = { name, type, shape, shift: low, scale: high - low };
  const [input] = signatureOf(model).inputs;
  return withBlueprint(withArrayEncoding(model, arrays, input!.name), { ...blueprint, arrays });
}

/**
 * A network of a file: one input of the encoded row, [batch, inputs] or [batch, …row], and one output of logits or
 * numbers, [batch, outputs]. Its constants become parameters.
 */
export function networkFrom(file: Model): NetworkBuilder {
  return ({ row, inputs, outputs }) => {
    const lifted = liftConstants(file);
    const border = signatureOf(lifted);
    const [input, ...moreInputs] = border.inputs;
    const [output, ...moreOutputs] = border.outputs;
    if (input === undefined || output === undefined || moreInputs.length + moreOutputs.length > 0) {
      throw modelError(
        `A network of a federation has one input and one output, and this one has ${border.inputs.length} and ${border.outputs.length}.`,
      );
    }
    const width = output.shape.slice(1);
    if (elementCount(width.map(Number)) !== outputs) {
      throw modelError(
        `The network gives ${width.join(' × ') || 'no'} numbers for a row of [${row.join(', ')}], ${inputs} in all, and the target needs ${outputs}: logits of classes, one for two of them.`,
      );
    }
    // Names of the encoding and of the head are added to the graph.
    return renamed(
      lifted,
      new Map([
        [input.name, 'network/input'],
        [output.name, 'network/output'],
      ]),
    );
  };
}

function renamed(model: Model, names: ReadonlyMap<string, string>): Model {
  const graph = model.graph!;
  const nameOf = (name: string): string => names.get(name) ?? name;
  const named = <T extends { readonly name: string }>(each: T): T =>
    changed(each, { name: nameOf(each.name) } as Partial<T>);
  return withGraph(model, {
    node: graph.node.map((node) =>
      changed(node, { input: node.input.map(nameOf), output: node.output.map(nameOf) }),
    ),
    input: graph.input.map(named),
    output: graph.output.map(named),
    valueInfo: graph.valueInfo.map(named),
  });
}

/** A copy of a message, whose defaults are in its prototype. */
function changed<T extends object>(message: T, change: Partial<T>): T {
  return Object.assign(
    Object.create(Object.getPrototypeOf(message) as object) as T,
    message,
    change,
  );
}

function featureOf(feature: PublicFeature): Feature {
  const { name } = feature;
  if (feature.kind === 'array') {
    throw dataError(`'${name}' is an array, and the only feature where there is one.`);
  }
  if (feature.kind === 'category') {
    return { name, kind: 'category', categories: distinct(name, feature.categories, 1) };
  }
  if (feature.fill !== undefined && !isSingle(feature.fill)) {
    throw dataError(`The fill of '${name}', ${feature.fill}, is beyond the range of float32.`);
  }
  const fill = feature.fill === undefined ? {} : { fill: feature.fill };
  return { name, kind: 'number', ...scaleOf(feature), ...fill };
}

function scaleOf({ name, low, high }: Range) {
  if (!(low < high)) throw dataError(`The range of '${name}', ${low} to ${high}, is empty.`);
  if (![low, high, high - low].every(isSingle)) {
    throw dataError(`The range of '${name}', ${low} to ${high}, is beyond the range of float32.`);
  }
  const deviation = (high - low) / 2;
  // A column is multiplied by it, or by its reciprocal.
  if (Math.fround(deviation) === 0 || !isSingle(1 / deviation)) {
    throw dataError(`The range of '${name}', ${low} to ${high}, is too narrow for float32.`);
  }
  return { mean: (low + high) / 2, deviation };
}

function isSingle(number: number): boolean {
  return Number.isFinite(Math.fround(number));
}

function distinct(name: string, texts: readonly string[], least: number): readonly string[] {
  const twice = texts.find((text, i) => texts.indexOf(text) !== i);
  if (twice !== undefined) throw dataError(`'${name}' has '${twice}' twice.`);
  if (texts.length >= least) return texts;
  throw dataError(`'${name}' needs at least ${least} different categories.`);
}
