/**
 * Assembles a model from the public part of a table: its columns with their ranges and categories.
 *
 * `assemble` fits the encoding on rows, so that one row moves all others. Where rows must stay
 * private, that is a leak which no noise in the training covers: the encoding must not depend on them.
 */
import { signatureOf, type Model } from '@skein/onnx';
import type { Encoder, Feature } from '../data/encoding/encoder.ts';
import { withEncoder } from '../data/encoding/encoding-graph.ts';
import { dataError } from '../train-error.ts';
import type { NetworkBuilder } from './assemble.ts';
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

export type PublicFeature =
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
  const encoded = features.map(featureOf);
  const classes = target.kind === 'category' ? distinct(target.name, target.classes, 2) : [];
  const widths = encoded.map((each) => (each.kind === 'number' ? 1 : each.categories.length));
  const inputs = widths.reduce((sum, each) => sum + each, 0);
  const task = publicTask(target);
  const outputs = task === 'classification' ? classes.length : 1;
  const built = network({ inputs, row: [inputs], outputs, seed });
  const scale = target.kind === 'number' ? scaleOf(target) : { mean: 0, deviation: 1 };
  const { model, blueprint } = withHead(built, { task, classes }, scale);
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

function featureOf(feature: PublicFeature): Feature {
  const { name } = feature;
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
