/**
 * Assembles a model from what is public of a table: its columns with their ranges and categories.
 *
 * `assemble` fits the encoding on rows, so that one row moves all others. Where rows must stay
 * private, that is a leak which no noise in the training covers: the encoding must not depend on them.
 */
import { signatureOf, type Model } from '@skein/onnx';
import type { Encoder, Feature } from '../data/encoder.ts';
import { withEncoder } from '../data/encoding-graph.ts';
import { TrainError } from '../train-error.ts';
import type { NetworkBuilder } from './assemble.ts';
import { withBlueprint, type Blueprint } from './blueprint.ts';
import { withHead } from './head.ts';
import type { TaskKind } from './task.ts';

export type PublicFeature =
  | {
      readonly name: string;
      /** Least and greatest number; they become −1 and 1. */
      readonly range: readonly [number, number];
      /** Takes the place of a missing number; absent: a missing number is an error. */
      readonly missing?: number | undefined;
    }
  | { readonly name: string; readonly categories: readonly string[] };

export interface PublicColumns {
  readonly features: readonly PublicFeature[];
  /** The column to predict: classes, or a number. */
  readonly label:
    | { readonly name: string; readonly classes: readonly string[] }
    | { readonly name: string; readonly range: readonly [number, number] };
}

/**
 * @param network built for the encoded row; two classes give one logit.
 * @throws TrainError `data` for an empty range or too few categories, `model` when the network does not fit.
 */
export function assemblePublic(
  { features, label }: PublicColumns,
  network: NetworkBuilder,
  seed: number,
): Model {
  const encoded = features.map(featureOf);
  const classes = 'classes' in label ? label.classes : [];
  const task: TaskKind =
    classes.length === 0 ? 'regression' : classes.length === 2 ? 'binary' : 'classification';
  if ('classes' in label) requireDistinct(label.name, classes, 2);
  const widths = encoded.map((each) => (each.kind === 'number' ? 1 : each.categories.length));
  const inputs = widths.reduce((sum, each) => sum + each, 0);
  const table: Encoder = {
    features: encoded,
    target:
      'classes' in label
        ? { name: label.name, kind: 'category', classes }
        : { name: label.name, kind: 'number' },
    width: inputs,
  };
  const outputs = task === 'classification' ? classes.length : 1;
  const built = network({ inputs, row: [inputs], outputs, seed });
  const scale = 'range' in label ? scaleOf(label.name, label.range) : { mean: 0, deviation: 1 };
  const headed = withHead(built, { task, classes }, scale);
  const blueprint: Blueprint = { ...headed.blueprint, table };
  const [input] = signatureOf(headed.model).inputs;
  return withBlueprint(withEncoder(headed.model, table, input!.name), blueprint);
}

function featureOf(feature: PublicFeature): Feature {
  const { name } = feature;
  if ('categories' in feature) {
    requireDistinct(name, feature.categories, 1);
    return { name, kind: 'category', categories: feature.categories };
  }
  const fill = feature.missing === undefined ? {} : { fill: feature.missing };
  return { name, kind: 'number', ...scaleOf(name, feature.range), ...fill };
}

function scaleOf(name: string, [least, greatest]: readonly [number, number]) {
  if (!(Number.isFinite(least) && Number.isFinite(greatest) && least < greatest)) {
    throw new TrainError('data', `The range of '${name}', ${least} to ${greatest}, is empty.`);
  }
  return { mean: (least + greatest) / 2, deviation: (greatest - least) / 2 };
}

function requireDistinct(name: string, texts: readonly string[], least: number): void {
  if (texts.length >= least && new Set(texts).size === texts.length) return;
  throw new TrainError('data', `'${name}' needs at least ${least} different categories.`);
}
