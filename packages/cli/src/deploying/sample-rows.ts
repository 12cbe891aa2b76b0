/** Rows that a converted model is compared on: a CSV file with a header, and predictions where it has them. */
import { createReadStream } from 'node:fs';
import { SkeinError } from '@skein/api/errors';
import { unreadable } from '@skein/api/file-errors';
import type { Converted } from '@skein/onnx/convert';
import { readCsv, TrainError, type Column } from '@skein/train';

export interface SampleRows {
  readonly rows: Float32Array;
  /** Predictions that the file holds, by output. */
  readonly expected: ReadonlyMap<string, Float64Array>;
}

/**
 * Columns named like an output hold what it must be: `label`, or `probabilities.0`, `probabilities.1` … where
 * it has several values. The other columns are the features: by name where the model names them, else in order.
 *
 * @throws SkeinError FILE_UNREADABLE, TRAINING_DATA_INVALID.
 */
export async function readSampleRows(
  path: string,
  { features, featureNames, predict }: Pick<Converted, 'features' | 'featureNames' | 'predict'>,
): Promise<SampleRows> {
  const columns = await numbersOf(path);
  const widths = widthsOf(predict(new Float32Array(features)));
  const isOutput = ({ name }: Column): boolean => widths.has(name.replace(/\.\d+$/, ''));
  const inputs =
    featureNames.length > 0
      ? featureNames.map((name) => columnNamed(columns, name, path))
      : columns.filter((column) => !isOutput(column));
  if (inputs.length !== features) {
    throw invalid(`"${path}" has ${inputs.length} columns of features; the model has ${features}.`);
  }
  const expected = new Map<string, Float64Array>();
  for (const [output, width] of widths) {
    const names =
      width === 1 ? [output] : Array.from({ length: width }, (_, at) => `${output}.${at}`);
    if (!columns.some(({ name }) => names.includes(name))) continue;
    expected.set(output, joined(names.map((name) => columnNamed(columns, name, path))));
  }
  return { rows: Float32Array.from(joined(inputs)), expected };
}

async function numbersOf(path: string): Promise<readonly Column[]> {
  try {
    const { columns } = await readCsv(createReadStream(path), { missing: 'keep' });
    return columns;
  } catch (error) {
    if (error instanceof TrainError) throw invalid(`"${path}": ${error.message}`, error);
    throw unreadable(path, error);
  }
}

/** Values of each output for one row. */
function widthsOf(predicted: ReturnType<Converted['predict']>): ReadonlyMap<string, number> {
  return new Map([...predicted].map(([name, numbers]) => [name, numbers.length]));
}

function columnNamed(columns: readonly Column[], name: string, path: string): Column {
  const found = columns.find((column) => column.name === name);
  if (found === undefined) throw invalid(`"${path}" has no column "${name}".`);
  return found;
}

/** Row after row. @throws SkeinError for a column of texts. */
function joined(columns: readonly Column[]): Float64Array {
  const numbers = columns.map((column) => {
    if (column.kind === 'number') return column.values;
    throw invalid(`The column "${column.name}" holds texts; the model takes numbers.`);
  });
  const count = numbers[0]?.length ?? 0;
  return Float64Array.from(
    { length: count * numbers.length },
    (_, at) => numbers[at % numbers.length]![Math.floor(at / numbers.length)]!,
  );
}

const invalid = (message: string, cause?: unknown): SkeinError =>
  new SkeinError('TRAINING_DATA_INVALID', message, { cause });
