/**
 * Rows for a model that is quantised: from tables, arrays or JSON, as its inputs, with labels where a
 * column or a file has them. They are read into memory whole.
 */
import { createReadStream } from 'node:fs';
import { basename, resolve } from 'node:path';
import { SkeinError } from '@skein/api/errors';
import {
  numbersOf,
  parseExactJson,
  signatureOf,
  stringTensor,
  tensorOfNumbers,
  type Model,
  type NumericTensor,
  type Tensor,
  type TensorSpec,
} from '@skein/onnx';
import { blueprintOf, parseNpy, parseNpz, readIdx, type Table } from '@skein/train';
import { explaining, formatOf, labelsFileOf, tableOf } from '@skein/train/run';
import { usageError } from '../command-line/usage.ts';
import { parseGivenJson, readGivenFile, readGivenText } from '../file.ts';
import { readInputs } from '../tensor/given-input.ts';

export type Label = string | number;

export interface Rows {
  /** Whole inputs, one or more; or arrays by input, whose first axis is the row. */
  readonly inputs:
    | { readonly kind: 'list'; readonly list: readonly ReadonlyMap<string, Tensor>[] }
    | { readonly kind: 'arrays'; readonly arrays: ReadonlyMap<string, Tensor> };
  readonly labels?: readonly Label[] | undefined;
}

export interface RowsChoice {
  /** Path as given. */
  readonly file: string;
  /** Column, array or JSON field of the labels. */
  readonly label?: string | undefined;
  /** File of labels for .npy and IDX, as given. */
  readonly labels?: string | undefined;
}

/** @throws SkeinError FILE_UNREADABLE, TRAINING_DATA_INVALID, USAGE, INPUT_… */
export async function readRows(cwd: string, model: Model, choice: RowsChoice): Promise<Rows> {
  const { file } = choice;
  if (/\.json$/i.test(file)) return readJsonRows(cwd, model, choice);
  const path = resolve(cwd, file);
  const format = await formatOf(path, file);
  return explaining(file, async () => {
    switch (format) {
      case 'images':
        throw usageError(`"${file}" is a folder: give its images as an .npy file.`);
      case 'npz':
        return arrayRows(model, await parseNpz(await readGivenFile(cwd, file)), choice);
      case 'npy':
      case 'idx': {
        const labels = labelsFileOf(path, choice.labels && resolve(cwd, choice.labels));
        const read = await readArray(cwd, file);
        const only = labels === undefined ? undefined : await readArray(cwd, labels);
        const [spec, ...more] = signatureOf(model).inputs;
        if (spec === undefined || more.length > 0) {
          throw usageError(
            `"${file}" is one array, but the model has ${more.length + 1} inputs: give an .npz with an array for each.`,
          );
        }
        return {
          inputs: { kind: 'arrays', arrays: new Map([[spec.name, converted(spec, read)]]) },
          labels: only === undefined ? undefined : Array.from(numbersOf(only), Number),
        };
      }
      default: {
        const texts = signatureOf(model).inputs.filter(({ type }) => type === 'string');
        const kinds = Object.fromEntries(texts.map(({ name }) => [name, 'category' as const]));
        return tableRows(model, await tableOf(path, format, { missing: 'keep', kinds }), choice);
      }
    }
  });
}

async function readArray(cwd: string, file: string): Promise<NumericTensor> {
  return /\.npy$/i.test(file)
    ? parseNpy(await readGivenFile(cwd, file), `"${basename(file)}"`)
    : readIdx(createReadStream(resolve(cwd, file)));
}

function arrayRows(
  model: Model,
  arrays: ReadonlyMap<string, NumericTensor>,
  { file, label }: RowsChoice,
): Rows {
  const { inputs } = signatureOf(model);
  const name = label ?? ['labels', 'y'].find((each) => arrays.has(each));
  const labels = name === undefined ? undefined : arrays.get(name);
  const others = [...arrays.keys()].filter((each) => each !== name);
  const entries = inputs.map((spec) => {
    const only = inputs.length === 1 && others.length === 1 ? others[0]! : spec.name;
    const found = arrays.get(only);
    if (found !== undefined) return [spec.name, converted(spec, found)] as const;
    throw invalid(
      `"${file}" has no array '${spec.name}' for the model, only ${others.join(', ')}.`,
    );
  });
  return {
    inputs: { kind: 'arrays', arrays: new Map(entries) },
    labels: labels && Array.from(numbersOf(labels), Number),
  };
}

function tableRows(model: Model, table: Table, { file, label }: RowsChoice): Rows {
  const { inputs } = signatureOf(model);
  const named = new Map(table.columns.map((column) => [column.name, column]));
  const textAt = (name: string): ((row: number) => Label) => {
    const column = named.get(name);
    if (column === undefined) {
      throw invalid(
        `"${file}" has no column '${name}', only ${[...named.keys()].slice(0, 20).join(', ')}.`,
      );
    }
    if (column.kind === 'number') return (row) => column.values[row]!;
    return (row) => column.categories[column.codes[row]!] ?? '';
  };
  const column = (name: string): Label[] =>
    Array.from({ length: table.count }, (_, row) => textAt(name)(row));
  const labels = label === undefined ? undefined : column(label);
  if (inputs.length > 1 || named.has(inputs[0]!.name) || inputs[0]!.type === 'string') {
    const arrays = inputs.map((spec) => {
      const shape = spec.shape.length === 2 ? [table.count, 1] : [table.count];
      return [spec.name, tensorOf(spec, shape, column(spec.name))] as const;
    });
    return { inputs: { kind: 'arrays', arrays: new Map(arrays) }, labels };
  }
  const [spec] = inputs;
  const features = blueprintOf(model)?.table?.features.map(({ name }) => name);
  const names = features ?? [...named.keys()].filter((name) => name !== label);
  const width = spec!.shape.at(-1);
  if (spec!.shape.length !== 2 || (typeof width === 'number' && width !== names.length)) {
    throw invalid(
      `"${file}" has ${names.length} columns${label === undefined ? '' : ` next to '${label}'`}, but the input '${spec!.name}' takes [${spec!.shape.map((size) => size ?? '?').join(', ')}]. --label names a column that is no input.`,
    );
  }
  const columns = names.map(column);
  const numbers = Array.from(
    { length: table.count * names.length },
    (_, at) => columns[at % names.length]![Math.floor(at / names.length)]!,
  );
  const array = tensorOf(spec!, [table.count, names.length], numbers);
  return { inputs: { kind: 'arrays', arrays: new Map([[spec!.name, array]]) }, labels };
}

async function readJsonRows(cwd: string, model: Model, { file, label }: RowsChoice): Promise<Rows> {
  const given = parseGivenJson(await readGivenText(cwd, file), `"${file}"`, parseExactJson);
  const signature = signatureOf(model);
  const rows = (Array.isArray(given) ? given : [given]) as readonly unknown[];
  const list: ReadonlyMap<string, Tensor>[] = [];
  const labels: Label[] = [];
  for (const row of rows) {
    if (typeof row !== 'object' || row === null || Array.isArray(row)) {
      throw usageError(`"${file}" is not a list of objects such as {"x": [1, 2]}.`);
    }
    const { [label ?? '']: own, ...values } = row as Record<string, unknown>;
    if (label !== undefined) {
      if (typeof own !== 'string' && typeof own !== 'number') {
        throw invalid(`"${file}": a row has no text or number '${label}'.`);
      }
      labels.push(own);
    }
    const data = JSON.stringify(values, (_, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    const inputs = await readInputs({ data, input: [], image: undefined }, signature, cwd);
    list.push(new Map(Object.entries(inputs)));
  }
  if (list.length === 0) throw invalid(`"${file}" has no rows.`);
  return { inputs: { kind: 'list', list }, labels: label === undefined ? undefined : labels };
}

function tensorOf(spec: TensorSpec, shape: readonly number[], cells: readonly Label[]): Tensor {
  if (spec.type === 'string') return stringTensor(shape, cells.map(String));
  const text = cells.find((cell) => typeof cell === 'string');
  if (text !== undefined) {
    throw invalid(`The input '${spec.name}' takes numbers, but the rows hold "${text}".`);
  }
  return inType(spec, shape, cells as readonly number[]);
}

/** An array in the type of the input: NumPy's own default is float64. */
function converted(spec: TensorSpec, read: NumericTensor): NumericTensor {
  if (read.type === spec.type) return read;
  if (spec.type === 'string') throw invalid(`The input '${spec.name}' takes texts, not numbers.`);
  return inType(spec, read.shape, Array.from(numbersOf(read), Number));
}

function inType(
  spec: TensorSpec,
  shape: readonly number[],
  numbers: readonly number[],
): NumericTensor {
  try {
    return tensorOfNumbers(spec.type as NumericTensor['type'], shape, numbers);
  } catch (error) {
    throw invalid(`Input '${spec.name}': ${error instanceof Error ? error.message : ''}`, error);
  }
}

const invalid = (message: string, cause?: unknown): SkeinError =>
  new SkeinError('TRAINING_DATA_INVALID', message, { cause });
