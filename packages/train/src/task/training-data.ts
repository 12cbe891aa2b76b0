/** Data as they were read, before they are matched with a model. */
import { elementCount, values, type NumericTensor } from '@skein/onnx';
import { dataError } from '../train-error.ts';
import type { DateColumn } from '../data/dates/date-columns.ts';
import type { StoredRows } from '../data/rows/stored.ts';
import { numbersOf } from '../data/table/column.ts';
import { columnOf, type Table } from '../data/table/table.ts';
import type { LabelFacts } from './task.ts';

export type TrainingData =
  | {
      readonly from: 'table';
      readonly table: Table;
      /** Column to predict. */
      readonly label: string;
      /** Columns to predict from; default: all except the target. */
      readonly features?: readonly string[] | undefined;
      /** Columns of dates, whose parts are predicted from. */
      readonly dates?: readonly DateColumn[] | undefined;
      /** The weight of each row in the loss; absent: all rows have the same weight. */
      readonly weights?: Float32Array<ArrayBuffer>;
    }
  | {
      readonly from: 'arrays';
      /** By name; the first axis is the row. With one array, its name does not matter. */
      readonly inputs: ReadonlyMap<string, NumericTensor | StoredRows>;
      readonly labels: NumericTensor;
      /** Names of the classes, where a label is a position in them. */
      readonly classes?: readonly string[];
      readonly weights?: Float32Array<ArrayBuffer>;
    };

/** @throws TrainError `data` when arrays differ in their rows, or there are none. */
export function rowsOf(data: TrainingData): number {
  if (data.from === 'table') return data.table.count;
  const count = data.labels.shape[0] ?? 0;
  if (count === 0) throw dataError('There are no labels.');
  for (const [name, { shape }] of data.inputs) {
    if (shape[0] === count) continue;
    throw dataError(`There are ${count} labels, but ${shape[0] ?? 'no'} rows of '${name}'.`);
  }
  return count;
}

/**
 * Facts about the labels, before there is a model.
 * @param soft whether they are shares of classes.
 */
export function labelFacts(data: TrainingData, soft = false): LabelFacts {
  if (soft) return { are: 'texts', classes: positions(data) };
  if (data.from === 'table') {
    const column = columnOf(data.table, data.label);
    if (column.kind === 'category') return { are: 'texts', classes: column.categories.toSorted() };
    return {
      are: 'numbers',
      distinct: distinctOf(numbersOf(column, data.table.count), data.table.count),
      width: 1,
    };
  }
  if (data.classes !== undefined) return { are: 'texts', classes: data.classes };
  const { shape } = data.labels;
  const numbers = values(data.labels) as ArrayLike<number | bigint>;
  const distinct = distinctOf((at) => numbers[at]!, numbers.length);
  const row = shape.slice(1);
  return { are: 'numbers', distinct, width: elementCount(row), row };
}

/** The classes, where the labels are shares of them. */
function positions(data: TrainingData): readonly string[] {
  const [, classes] = data.from === 'table' ? [] : data.labels.shape;
  if (classes !== undefined) return Array.from({ length: classes }, (_, i) => String(i));
  throw dataError(
    'Labels that are shares of classes are an array [rows, classes] of an .npz or .npy file.',
  );
}

/** With more distinct labels than this the labels are not classes, for every task. */
const MOST_DISTINCT = 1_000_000;

function distinctOf(numberOf: (at: number) => number | bigint, count: number): readonly number[] {
  const found = new Set<number>();
  for (let i = 0; i < count && found.size < MOST_DISTINCT; i++) found.add(Number(numberOf(i)));
  found.delete(NaN);
  return [...found].sort((a, b) => a - b);
}
