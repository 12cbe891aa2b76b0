/** The options of `skein train` that define a run. */
import { SkeinError } from '@skein/api/errors';
import { LOSS_NAMES } from '@skein/onnx';
import {
  OPTIMISER_NAMES,
  SCHEDULE_NAMES,
  SHUFFLES,
  WHOLE_SETTINGS,
  type Training,
} from '@skein/train';
import { optionName, type OptionValues } from '../command-line/command.ts';
import { usageError } from '../command-line/usage.ts';
import { bytes, choice, decimal, integer, text, value } from '../command-line/option.ts';

/** Settings that flags can express: everything except functions. */
export interface Flags extends Omit<Partial<Training>, 'model' | 'optimiser' | 'loss' | 'freeze'> {
  readonly model?: string;
  readonly optimiser?: Training['optimiser'] & string;
  readonly loss?: Training['loss'] & string;
  /** A regular expression. */
  readonly freeze?: string;
}

export const trainingOptions = {
  model: text(
    'NETWORK',
    'Build a network instead: mlp:64,32 has two hidden layers, mlp none, cnn:16,32 two convolutions.',
  ),
  data: text(
    'FILE',
    'Rows to train on: .csv, .tsv, .jsonl, .parquet, .npy, .npz, IDX, a folder of images per class, or a version of a data set, such as heart@3.',
  ),
  label: text('COLUMN', 'Column of a table, or array of an .npz file, to predict.'),
  labels: text('FILE', 'File of labels for an .npy or IDX file.'),
  weights: text(
    'COLUMN',
    'Column, or array, with the weight of each row in the loss; metrics count all rows the same.',
  ),
  features: value(
    'COLUMNS',
    'Columns to predict from, with commas; default: all except the target.',
    (given) => given.split(',').map((name) => name.trim()),
  ),
  task: choice(
    ['classification', 'binary', 'regression'],
    'Task; default: inferred from labels and model.',
  ),
  loss: choice(LOSS_NAMES, 'Loss; default: the task’s.'),
  optimizer: choice(OPTIMISER_NAMES, 'Optimiser; default: adam.'),
  lr: decimal('RATE', 'Learning rate; default: 0.001, for sgd 0.01, for lion 0.0001.', [0, 1e6]),
  schedule: choice(SCHEDULE_NAMES, 'Change of the learning rate over the run; default: constant.'),
  warmup: integer(
    'STEPS',
    'Steps over which the learning rate rises first.',
    WHOLE_SETTINGS.warmup,
  ),
  momentum: decimal('X', 'Momentum of sgd and rmsprop.', [0, 1]),
  weightDecay: decimal('X', 'Strength of the pull of weights towards zero.', [0, 1e6]),
  clipNorm: decimal('X', 'Largest norm of all gradients together.', [1e-12, 1e12]),
  clipValue: decimal('X', 'Largest magnitude of a number of a gradient.', [1e-12, 1e12]),
  epochs: integer('N', 'Passes over the rows; default: 20.', WHOLE_SETTINGS.epochs),
  batch: integer('ROWS', 'Rows of one batch; default: 32.', WHOLE_SETTINGS.batch),
  accumulate: integer(
    'N',
    'Batches whose gradients make one step: N times --batch rows in the memory of one batch; default: 1.',
    WHOLE_SETTINGS.accumulate,
  ),
  seed: integer('N', 'Seed for weights, split and row order; default: 42.', WHOLE_SETTINGS.seed),
  validation: decimal(
    'SHARE',
    'Share of the rows that is held out for validation; default: 0.2.',
    [0, 0.999],
  ),
  validationData: text('FILE', 'Rows for validation, instead of a share; as --data.'),
  validationLabels: text('FILE', 'File of labels for --validation-data.'),
  scaling: choice(
    ['standard', 'unit', 'none'],
    'Scaling that the model stores. standard: mean 0 and deviation 1 (tables); unit: bytes to 0–1 (images).',
  ),
  missing: choice(
    ['refuse', 'drop', 'mean'],
    'Treatment of missing values. refuse: an error; drop: leave the row out; mean: use the mean, which the model stores. Default: refuse.',
  ),
  imageSize: value(
    'WxHxC',
    'Size of images where the model leaves it open, such as 32x32x3.',
    readImageSize,
  ),
  freeze: text('PATTERN', 'Regular expression of the names of parameters that stay as they are.'),
  earlyStopping: integer(
    'EPOCHS',
    'Stop after so many without improvement.',
    WHOLE_SETTINGS.earlyStopping,
  ),
  checkpointEvery: integer(
    'STEPS',
    'Steps between checkpoints; default: one each epoch.',
    WHOLE_SETTINGS.checkpointEvery,
  ),
  threads: integer('N', 'Threads that one operator may use; default: 1.', WHOLE_SETTINGS.threads),
  memory: bytes('Memory for rows; larger data are kept in a file; default: 256MiB.'),
  shuffle: choice(
    SHUFFLES,
    'Order of the rows in an epoch. rows: any; blocks: of a file that is shuffled once, block after block. Default: blocks where the rows are more than half of the memory.',
  ),
  workers: integer(
    'N',
    'Threads that share every batch; default: 1. A gang has its RANK instead.',
    WHOLE_SETTINGS.workers,
  ),
  localSteps: integer(
    'H',
    'Steps that each worker takes alone between exchanges (DiLoCo).',
    WHOLE_SETTINGS.localSteps,
  ),
  bucket: bytes(
    'Bytes of gradients that a gang exchanges at once while it computes the rest; default: 2MiB between machines, all on one machine.',
  ),
  compress: text('FORM', 'Compression of exchanges: 8-bit, or top-k:0.01; the rest is sent later.'),
};

export type TrainingChoice = OptionValues<typeof trainingOptions>;

/** Settings by option; `undefined` for options with the same name. */
const RENAMED: Readonly<Partial<Record<keyof TrainingChoice, keyof Flags>>> = {
  optimizer: 'optimiser',
  lr: 'rate',
  validationData: 'validation',
};

/** Every option with its setting. */
const FLAG_NAMES: readonly (readonly [keyof TrainingChoice, keyof Flags])[] = (
  Object.keys(trainingOptions) as (keyof TrainingChoice)[]
).map((key) => [key, RENAMED[key] ?? (key as keyof Flags)]);

/**
 * The options of the command line, under the names of settings.
 * @throws SkeinError USAGE where one would replace another.
 */
export function flagsOf(
  choice: TrainingChoice,
  file: string | undefined,
  name: string | undefined,
): Flags {
  if (file !== undefined && choice.model !== undefined) {
    throw usageError(
      `Training begins with the file ${file}, or with --model ${choice.model}: give one of them.`,
    );
  }
  if (choice.validation !== undefined && choice.validationData !== undefined) {
    throw usageError(
      'Validation rows are a share (--validation) or a file (--validation-data): give one of them.',
    );
  }
  const flags: Record<string, unknown> = {};
  for (const [key, flag] of FLAG_NAMES) {
    if (choice[key] !== undefined) flags[flag] = choice[key];
  }
  if (file !== undefined) flags['model'] = file;
  if (name !== undefined) flags['name'] = name;
  return flags;
}

/** An error that names a setting, such as `localSteps`, names its option instead: --local-steps. */
export function inOptions(error: unknown): unknown {
  if (!(error instanceof SkeinError)) return error;
  const message = optionWords(error.message);
  return message === error.message ? error : new SkeinError(error.code, message, { cause: error });
}

/** A text in which settings between backticks are options. */
export function optionWords(text: string): string {
  return text.replaceAll(/`(\w+)`/g, (whole, setting) => {
    const option = FLAG_NAMES.find(([, flag]) => flag === setting)?.[0];
    return option === undefined ? whole : `--${optionName(option)}`;
  });
}

function readImageSize(given: string): NonNullable<Flags['imageSize']> {
  const match = /^(\d+)x(\d+)(?:x([13]))?$/.exec(given);
  if (match === null) throw new Error(`"${given}" is not a size such as 32x32x3`);
  return {
    width: Number(match[1]),
    height: Number(match[2]),
    channels: match[3] === '1' ? 1 : 3,
  };
}
