/** Rows as the runs of a model: batches where it takes any number of rows, calibration apart from held-out rows. */
import { SkeinError } from '@skein/api/errors';
import {
  seededRandom,
  signatureOf,
  stringTensor,
  tensorOfNumbers,
  elementCount,
  type Model,
  type Tensor,
  type TensorMap,
  type TensorSpec,
} from '@skein/onnx';
import { blueprintOf, splitRows } from '@skein/train';
import type { Labelled } from '@skein/onnx/quantise';
import type { Label, Rows } from './rows.ts';

/** Rows of a run where the model takes any number. */
const BATCH = 32;
/** More rows hardly move a range. */
const MOST_CALIBRATION = 512;
const MOST_HELD = 10_000;
const SEED = 1;
/** Random runs: a model without rows is compared on so many. */
const RANDOM_RUNS = 16;
/** Size of an axis that the model leaves open; the first one, the batch, has 1. */
const OPEN_AXIS = 32;

export interface Split {
  readonly calibration?: readonly TensorMap[];
  readonly held: Labelled;
  readonly timed: TensorMap;
  /** Rows of each, for the reader. */
  readonly counts: { readonly calibration: number; readonly held: number };
}

/** Half of the rows, at most 512, for calibration; the others are held out. One row is used for both. */
export function splitSamples(model: Model, rows: Rows): Split {
  const runs = runsOf(model, rows);
  const units = Math.floor(runs.count / runs.unit);
  const share = Math.min(0.5, Math.ceil(MOST_CALIBRATION / runs.unit) / units);
  const [first, second] = units === 1 ? [[0], [0]] : splitRows(units, { share, seed: SEED });
  const most = Math.ceil(MOST_HELD / runs.unit);
  const held = unitsAsSamples(runs, second.slice(0, most));
  return {
    calibration: unitsAsSamples(runs, first).samples,
    held,
    timed: runs.take([...Array(runs.unit).keys()]),
    counts: {
      calibration: first.length * runs.unit,
      held: Math.min(second.length, most) * runs.unit,
    },
  };
}

/** All rows in their order. */
export function allSamples(model: Model, rows: Rows): Labelled {
  const runs = runsOf(model, rows);
  const units = Math.floor(runs.count / runs.unit);
  return unitsAsSamples(
    runs,
    Array.from({ length: units }, (_, at) => at),
  );
}

/** Uniform numbers in [-1, 1), small whole numbers, from a seed. @throws SkeinError for an input of texts. */
export function randomSamples(model: Model): Split {
  const samples = Array.from({ length: RANDOM_RUNS }, (_, run) => randomFeeds(model, SEED + run));
  return {
    held: { samples },
    timed: samples[0]!,
    counts: { calibration: 0, held: RANDOM_RUNS },
  };
}

interface Runs {
  readonly count: number;
  /** Rows that one run must have. */
  readonly unit: number;
  /** Units that may share a run. */
  readonly joined: number;
  readonly labels?: readonly number[] | undefined;
  take(rows: readonly number[]): TensorMap;
}

function unitsAsSamples(runs: Runs, units: ArrayLike<number>): Labelled {
  const samples: TensorMap[] = [];
  const order: number[] = [];
  for (let at = 0; at < units.length; at += runs.joined) {
    const some = Array.from(units).slice(at, at + runs.joined);
    const rows = some.flatMap((unit) =>
      Array.from({ length: runs.unit }, (_, i) => unit * runs.unit + i),
    );
    order.push(...rows);
    samples.push(runs.take(rows));
  }
  const { labels } = runs;
  return { samples, ...(labels && { labels: order.map((row) => labels[row]!) }) };
}

function runsOf(model: Model, { inputs, labels: given }: Rows): Runs {
  const labels = given === undefined ? undefined : classesOf(model, given);
  if (inputs.kind === 'list') {
    const { list } = inputs;
    return { count: list.length, unit: 1, joined: 1, labels, take: ([row]) => list[row!]! };
  }
  const specs = signatureOf(model).inputs;
  const counts = new Set([...inputs.arrays.values()].map(({ shape }) => shape[0] ?? 0));
  const [count = 0] = counts;
  if (counts.size > 1) throw invalid(`The arrays differ in their rows: ${[...counts].join(', ')}.`);
  if (labels !== undefined && labels.length !== count) {
    throw invalid(`There are ${count} rows, but ${labels.length} labels.`);
  }
  const ways = specs.map((spec) => wayOf(spec, inputs.arrays.get(spec.name)!));
  const isWhole = ways.every((way) => way === 'whole');
  const fixed = ways.find((way) => typeof way === 'number');
  if (!isWhole && ways.includes('whole')) {
    throw invalid('Some inputs have an axis of rows more than the model, and some have not.');
  }
  const unit = isWhole ? 1 : (fixed ?? 1);
  if (count < unit) throw invalid(`The model takes ${unit} rows at once; there are ${count}.`);
  const joined = isWhole || fixed !== undefined ? 1 : BATCH;
  const take = (rows: readonly number[]): TensorMap =>
    new Map([...inputs.arrays].map(([name, array]) => [name, taken(array, rows, isWhole)]));
  return { count, unit, joined, labels, take };
}

/** `whole`: the array has an axis of rows before the axes of the input. A number: rows that a run must have. */
function wayOf({ name, shape }: TensorSpec, array: Tensor): 'whole' | 'open' | number {
  const fits = (sizes: readonly number[], from: number): boolean =>
    sizes.length === shape.length &&
    shape.every((size, at) => at < from || typeof size !== 'number' || size === sizes[at]);
  if (fits(array.shape, 1)) return typeof shape[0] === 'number' ? shape[0] : 'open';
  if (fits(array.shape.slice(1), 0)) return 'whole';
  throw invalid(
    `Rows of '${name}' have the shape [${array.shape.slice(1).join(', ')}], but the model takes [${shape.map((size) => size ?? '?').join(', ')}].`,
  );
}

function taken(array: Tensor, rows: readonly number[], isWhole: boolean): Tensor {
  const shape = isWhole ? array.shape.slice(1) : [rows.length, ...array.shape.slice(1)];
  const width = elementCount(array.shape.slice(1));
  if (array.type === 'string') {
    const elements = rows.flatMap((row) => array.elements.slice(row * width, (row + 1) * width));
    return stringTensor(shape, elements);
  }
  const bytes = array.bytes.byteLength / (array.shape[0] ?? 1);
  const own = new Uint8Array(rows.length * bytes);
  rows.forEach((row, at) =>
    own.set(array.bytes.subarray(row * bytes, (row + 1) * bytes), at * bytes),
  );
  return { type: array.type, shape, bytes: own };
}

/** Labels as numbers of classes: names of the model's own training, else whole numbers, else sorted texts. */
function classesOf(model: Model, labels: readonly Label[]): readonly number[] | undefined {
  const blueprint = blueprintOf(model);
  if (blueprint?.task === 'regression') return undefined;
  const texts = labels.map(String);
  const known = blueprint?.classes ?? [];
  const isCounted = labels.every((label) => typeof label === 'number' && Number.isInteger(label));
  const names = known.length > 0 ? known : isCounted ? [] : [...new Set(texts)].toSorted();
  if (names.length === 0) return labels as readonly number[];
  const places = new Map(names.map((name, at) => [name, at]));
  return texts.map((text, row) => {
    const place = places.get(text);
    if (place !== undefined) return place;
    throw invalid(`Row ${row} has the label '${text}', which is none of ${names.join(', ')}.`);
  });
}

function randomFeeds(model: Model, seed: number): TensorMap {
  const random = seededRandom(seed);
  const entries = signatureOf(model).inputs.map(({ name, type, shape }) => {
    if (type === 'string') {
      throw invalid(
        `The input '${name}' takes texts, which cannot be random: give rows with --data.`,
      );
    }
    const sizes = shape.map((size, axis) =>
      typeof size === 'number' && size > 0 ? size : axis === 0 ? 1 : OPEN_AXIS,
    );
    const numbers = Array.from({ length: elementCount(sizes) }, () =>
      type.includes('float')
        ? 2 * random.next() - 1
        : type === 'bool'
          ? Math.round(random.next())
          : Math.floor(8 * random.next()),
    );
    return [name, tensorOfNumbers(type, sizes, numbers)] as const;
  });
  return new Map(entries);
}

const invalid = (message: string): SkeinError => new SkeinError('TRAINING_DATA_INVALID', message);
