/**
 * A training as a value, for `skein train --config train.config.ts`. It has the settings of the
 * command's flags, and those that no flag can express: a network from a function, an optimiser or a
 * loss with all of its options.
 *
 * ```ts
 * export const training = defineTraining({
 *   model: ({ inputs, outputs, seed }) => mlp({ sizes: [inputs, 64, outputs], seed }),
 *   data: 'train.csv',
 *   label: 'diagnosis',
 *   optimiser: adamW({ weightDecay: 0.01 }),
 * });
 * ```
 */
import type { Loss, Model } from '@skein/onnx';
import type { ArrayScaling } from '../data/encoding/array-encoding.ts';
import type { Optimiser } from '../optimisers/optimiser.ts';
import type { OptimiserName } from '../optimisers/optimisers.ts';
import type { NetworkBuilder } from './assemble.ts';
import type { TaskKind } from './task.ts';

export const SCHEDULE_NAMES = ['constant', 'cosine', 'step'] as const;
export type ScheduleName = (typeof SCHEDULE_NAMES)[number];

/**
 * `rows`: an epoch visits all rows in a random order. `blocks`: rows are shuffled in a file once, and an epoch visits its
 * blocks in another order; see `block-order.ts`.
 */
export const SHUFFLES = ['rows', 'blocks'] as const;
export type Shuffle = (typeof SHUFFLES)[number];

export interface Training {
  /** An .onnx file, `mlp:64,32` or `cnn:16,32` for a network to be built, a model, or a function that builds one. */
  readonly model: string | Model | NetworkBuilder;
  /**
   * A .csv, .jsonl, .parquet, .npy, .npz or IDX file, or a folder with a folder of images per
   * class. Paths are relative to the configuration file.
   */
  readonly data: string;
  /** Column of a table, or array of an .npz file, to predict. */
  readonly label?: string;
  /** File of labels of an .npy or IDX file. */
  readonly labels?: string;
  /**
   * Column, or array of an .npz file, with the weight of each row in the loss; default: all rows
   * have the same weight.
   */
  readonly weights?: string;
  /** Columns to predict from; default: all except the target. */
  readonly features?: readonly string[];
  /** Share of the rows that is held out for validation, or a file of such rows; default 0.2. */
  readonly validation?: number | string;
  /** File of labels of a validation file. */
  readonly validationLabels?: string;
  /** Size of images, when the model does not determine it. */
  readonly imageSize?: {
    readonly channels: 1 | 3;
    readonly height: number;
    readonly width: number;
  };
  /** Default: the task that labels and model suggest. */
  readonly task?: TaskKind;
  readonly loss?: Loss | Loss['kind'];
  /** Default: `standard` for tables, `unit` for bytes, `none` for other arrays. */
  readonly scaling?: ArrayScaling;
  /** How rows with missing values are handled; default `refuse`. */
  readonly missing?: 'refuse' | 'drop' | 'mean';
  /** Default `adam`. */
  readonly optimiser?: OptimiserName | Optimiser;
  /** Learning rate; default 0.001, for SGD 0.01, for Lion 0.0001. */
  readonly rate?: number;
  /** How the rate changes; default `constant`. */
  readonly schedule?: ScheduleName;
  /** Steps over which the rate rises first; default 0. */
  readonly warmup?: number;
  readonly momentum?: number;
  readonly weightDecay?: number;
  /** Largest norm of all gradients together. */
  readonly clipNorm?: number;
  /** Largest magnitude of every number of a gradient; not with `clipNorm`. */
  readonly clipValue?: number;
  /** Default 20. */
  readonly epochs?: number;
  /** Rows per batch; default 32. */
  readonly batch?: number;
  /** Batches whose gradients are summed into one step; default 1. */
  readonly accumulate?: number;
  /** Seed of weights, splits and orders; default 42. */
  readonly seed?: number;
  /** Names of parameters that training does not change. */
  readonly freeze?: RegExp;
  /** Epochs without improvement after which to stop. */
  readonly earlyStopping?: number;
  /** Steps between checkpoints; default: one after each epoch. */
  readonly checkpointEvery?: number;
  /** Threads that one operator may use; default 1. */
  readonly threads?: number;
  /** Bytes of rows that may be in memory; more are kept in a file of the data folder. Default 256 MiB. */
  readonly memory?: number;
  /** Order of the rows in an epoch; default: `blocks` where the rows are more than half of the memory. */
  readonly shuffle?: Shuffle;
  /** Threads that train together, each on its part of every batch; default 1. */
  readonly workers?: number;
  /**
   * Local steps of each worker between two exchanges, for slow links (DiLoCo); default: exchange
   * every step.
   */
  readonly localSteps?: number;
  /**
   * Compression of exchanges: `8-bit`, or `top-k:0.01` for a hundredth; the remainder is sent
   * later.
   */
  readonly compress?: string;
  /**
   * Bytes of gradients that members of a gang send together while the rest is computed; default: 2
   * MiB between machines, all at once within one.
   */
  readonly bucket?: number;
  /** Name of the run; default: the name of the model. */
  readonly name?: string;
}

/** Every setting by its name: a misspelt one would leave its default in place. */
const SETTINGS: Readonly<Record<keyof Training, true>> = {
  model: true,
  data: true,
  label: true,
  labels: true,
  weights: true,
  features: true,
  validation: true,
  validationLabels: true,
  imageSize: true,
  task: true,
  loss: true,
  scaling: true,
  missing: true,
  optimiser: true,
  rate: true,
  schedule: true,
  warmup: true,
  momentum: true,
  weightDecay: true,
  clipNorm: true,
  clipValue: true,
  epochs: true,
  batch: true,
  accumulate: true,
  seed: true,
  freeze: true,
  earlyStopping: true,
  checkpointEvery: true,
  threads: true,
  memory: true,
  shuffle: true,
  workers: true,
  localSteps: true,
  compress: true,
  bucket: true,
  name: true,
};
export const SETTING_NAMES = Object.keys(SETTINGS) as readonly (keyof Training)[];

/** Types a training. */
export function defineTraining(training: Training): Training {
  return training;
}

const MANY = 1_000_000;

/** Least and most of the settings that are whole numbers. */
export const WHOLE_SETTINGS = {
  epochs: [1, MANY],
  batch: [1, MANY],
  accumulate: [1, MANY],
  warmup: [0, 1e9],
  seed: [0, 2 ** 32 - 1],
  threads: [1, 256],
  workers: [1, 256],
  earlyStopping: [1, 1e9],
  checkpointEvery: [1, 1e9],
  localSteps: [1, 1e9],
} as const satisfies Partial<Record<keyof Training, readonly [least: number, most: number]>>;
