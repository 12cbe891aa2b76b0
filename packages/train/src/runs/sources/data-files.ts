/** Reads training data, by the ending of the file's name. */
import { createReadStream } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { unreadable } from '@skein/api/file-errors';
import type { NumericTensor } from '@skein/onnx';
import { inMemory } from '../../data/rows/array-rows.ts';
import type { FileStore } from '../../data/rows/file-rows.ts';
import { readIdx } from '../../data/formats/idx.ts';
import { parseNpy, storedNpy } from '../../data/formats/npy.ts';
import { storedNpz } from '../../data/formats/npz.ts';
import { readParquet, type RandomAccess } from '../../data/formats/parquet.ts';
import { isStored, type StoredRows } from '../../data/rows/stored.ts';
import {
  columnOf,
  completeRows,
  selectTableRows,
  type Table,
  type TableOptions,
} from '../../data/table/table.ts';
import type { TrainingData } from '../../task/training-data.ts';
import { dataError, MissingValue } from '../../train-error.ts';
import { explaining, invalidSetting } from '../failure.ts';
import { readImageFolder, type ImageSize } from './image-folder.ts';
import { readCsv, readJsonLines } from '../../data/table/read-table.ts';

export interface DataChoice {
  /** Absolute. */
  readonly path: string;
  /** The path as given, for messages. */
  readonly given: string;
  readonly label?: string | undefined;
  /** Absolute path of a file of labels. */
  readonly labels?: string | undefined;
  readonly features?: readonly string[] | undefined;
  /** Column with the weight of each row. */
  readonly weights?: string | undefined;
  readonly missing: 'refuse' | 'drop' | 'mean';
  /** For folders of images. */
  readonly imageSize: () => ImageSize;
  /** Stores rows that do not fit into memory. */
  readonly store: FileStore;
  /** Called while a table is read, with the share of its bytes, from 0 to 1, and the rows. */
  readonly onRead?: ((share: number, rows: number) => void) | undefined;
}

export type Format = 'csv' | 'tsv' | 'jsonl' | 'parquet' | 'npy' | 'npz' | 'idx' | 'images';

const ENDINGS: readonly (readonly [RegExp, Format])[] = [
  [/\.csv(\.gz)?$/i, 'csv'],
  [/\.tsv(\.gz)?$/i, 'tsv'],
  [/\.(jsonl|ndjson)(\.gz)?$/i, 'jsonl'],
  [/\.parquet$/i, 'parquet'],
  [/\.npy$/i, 'npy'],
  [/\.npz$/i, 'npz'],
  [/(idx\d-ubyte|\.idx\d?)(\.gz)?$/i, 'idx'],
];

/**
 * The file of labels for a file of rows: the given one, or the one that the names of the MNIST
 * family imply.
 * @returns `undefined` where the labels are with the rows.
 */
export function labelsFileOf(path: string, given: string | undefined): string | undefined {
  if (!/\.npy$|(idx\d-ubyte|\.idx\d?)(\.gz)?$/i.test(path)) return undefined;
  if (given !== undefined) return given;
  const sibling = basename(path).replace(/images([-.]idx)3/, 'labels$11');
  return sibling === basename(path) ? undefined : join(dirname(path), sibling);
}

/** @throws SkeinError FILE_UNREADABLE, USAGE, TRAINING_DATA_INVALID, naming the file. */
export async function readTrainingData(choice: DataChoice): Promise<TrainingData> {
  const format = await formatOf(choice.path, choice.given);
  return explaining(choice.given, async () => {
    if (format === 'images') {
      return readImageFolder(choice.path, choice.imageSize(), choice.store, choice.label);
    }
    if (format === 'npz') return readArchive(choice);
    if (format === 'npy' || format === 'idx') return readPair(choice, format);
    return readTable(choice, format);
  });
}

/**
 * @param given as the user named the file.
 * @throws SkeinError FILE_UNREADABLE, USAGE.
 */
export async function formatOf(path: string, given: string): Promise<Format> {
  const found = await stat(path).catch((error: unknown) => {
    throw unreadable(given, error);
  });
  if (found.isDirectory()) return 'images';
  const format = ENDINGS.find(([ending]) => ending.test(path))?.[1];
  if (format !== undefined) return format;
  throw invalidSetting(
    `"${given}" is none of .csv, .tsv, .jsonl, .parquet, .npy, .npz, IDX, or a folder of images.`,
  );
}

async function readTable(
  choice: DataChoice,
  format: 'csv' | 'tsv' | 'jsonl' | 'parquet',
): Promise<TrainingData> {
  const { path, label, features, weights, missing, store, onRead } = choice;
  if (label === undefined) throw invalidSetting('`label` names the column to predict.');
  const others = weights === undefined ? [] : [weights];
  const options: TableOptions = {
    missing: missing === 'refuse' ? 'refuse' : 'keep',
    store,
    ...(features === undefined ? {} : { wanted: [...features, label, ...others] }),
  };
  const whole = await tableOf(path, format, options, onRead).catch((error: unknown) => {
    throw error instanceof MissingValue ? dataError(`${error.message} ${WAYS}`) : error;
  });
  columnOf(whole, label);
  const labelled = missing === 'mean' ? completeRows(whole, [label]).length : whole.count;
  if (labelled < whole.count) {
    const text = whole.missingTexts?.get(label);
    const such = text === undefined ? '' : ` (${text}, which counts as missing)`;
    throw dataError(
      `${whole.count - labelled} rows have no '${label}' to learn from${such}: \`missing\` drop leaves them out.`,
    );
  }
  const used = [...(features ?? whole.columns.map(({ name }) => name)), label];
  const table = missing === 'drop' ? selectTableRows(whole, completeRows(whole, used)) : whole;
  if (table !== whole) whole.release?.();
  return { from: 'table', table, label, features };
}

const WAYS =
  '`missing` drop leaves such rows out; `missing` mean lets the mean of a column stand for its missing numbers, and no text for a missing text.';

/** Reads a whole table. @throws TrainError `data`. */
export async function tableOf(
  path: string,
  format: 'csv' | 'tsv' | 'jsonl' | 'parquet',
  given: TableOptions,
  onRead: DataChoice['onRead'] = () => undefined,
): Promise<Table> {
  const { size } = await stat(path);
  let read = 0;
  // A reader of Parquet reads a few bytes twice.
  const onRows = (rows: number): void => onRead(Math.min(1, read / size), rows);
  const options = { ...given, onRows };
  if (format !== 'parquet') {
    const stream = createReadStream(path);
    stream.on('data', (chunk) => (read += chunk.length));
    if (format === 'jsonl') return readJsonLines(stream, options);
    return readCsv(stream, format === 'tsv' ? { ...options, separator: '\t' } : options);
  }
  const file = await open(path);
  try {
    const access: RandomAccess = {
      byteLength: size,
      async slice(start, end = size) {
        const from = start < 0 ? size + start : start;
        const bytes = new Uint8Array(Math.max(0, end - from));
        await file.read(bytes, 0, bytes.byteLength, from);
        read += bytes.byteLength;
        return bytes.buffer;
      },
    };
    return await readParquet(access, options);
  } finally {
    await file.close();
  }
}

async function readArchive({ path, label, store }: DataChoice): Promise<TrainingData> {
  const arrays = new Map(await storedNpz(store.open(path), store));
  const name = label ?? ['labels', 'y'].find((each) => arrays.has(each));
  const labels = name === undefined ? undefined : arrays.get(name);
  if (name === undefined || labels === undefined) {
    const names = [...arrays.keys()].join(', ');
    throw dataError(
      `There is no array '${label ?? 'labels'}' of labels, only ${names}; \`label\` names it.`,
    );
  }
  arrays.delete(name);
  return { from: 'arrays', inputs: arrays, labels: loaded(labels) };
}

/** One file of rows and one of labels. */
async function readPair(choice: DataChoice, format: 'npy' | 'idx'): Promise<TrainingData> {
  const { path, store } = choice;
  const labels = labelsFileOf(path, choice.labels);
  if (labels === undefined) throw invalidSetting('`labels` names the file of the labels.');
  const read = async (file: string) => {
    const found = await stat(file).catch((error: unknown) => {
      throw unreadable(file, error);
    });
    if (format === 'idx' || /idx\d?(-ubyte)?(\.gz)?$/.test(file)) {
      return readIdx(createReadStream(file), store);
    }
    const what = `'${basename(file)}'`;
    return found.size > store.limit
      ? storedNpy(store.open(file), { store, what })
      : parseNpy(await readFile(file), what);
  };
  return {
    from: 'arrays',
    inputs: new Map([['features', await read(path)]]),
    labels: loaded(await read(labels)),
  };
}

/** Labels as numbers in memory, also when the rows are in a file. */
function loaded(labels: NumericTensor | StoredRows): NumericTensor {
  return isStored(labels) ? inMemory(labels) : labels;
}
