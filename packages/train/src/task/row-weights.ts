/** The weight of each row in the loss: a column of the table, or one of the arrays. */
import { values } from '@skein/onnx';
import { isStored } from '../data/rows/stored.ts';
import { columnOf } from '../data/table/table.ts';
import { dataError } from '../train-error.ts';
import { rowsOf, type TrainingData } from './training-data.ts';

/**
 * The data with the named column or array as row weights instead of a feature.
 * @throws TrainError `data` when there is no such column or array, or one of its values is not a
 * weight.
 */
export function withRowWeights(data: TrainingData, name: string): TrainingData {
  if (data.from === 'table') {
    const column = columnOf(data.table, name);
    if (column.kind !== 'number') {
      throw dataError(`The column '${name}' holds texts, and no weights.`);
    }
    const others = data.table.columns.map((each) => each.name);
    const features = (data.features ?? others).filter(
      (each) => each !== name && each !== data.label,
    );
    return { ...data, features, weights: checked(column.values, name) };
  }
  const found = data.inputs.get(name);
  const count = rowsOf(data);
  if (found === undefined || isStored(found)) {
    throw dataError(`The data have no array '${name}' of weights.`);
  }
  const numbers = values(found) as ArrayLike<number | bigint>;
  if (numbers.length !== count) {
    throw dataError(`There are ${numbers.length} weights for ${count} rows.`);
  }
  const inputs = new Map([...data.inputs].filter(([each]) => each !== name));
  return { ...data, inputs, weights: checked(numbers, name) };
}

function checked(numbers: ArrayLike<number | bigint>, name: string): Float32Array<ArrayBuffer> {
  const weights = Float32Array.from(numbers, Number);
  const flaw = weights.findIndex((weight) => !(weight >= 0 && weight < Infinity));
  if (flaw >= 0) {
    throw dataError(`Row ${flaw} has the weight ${weights[flaw]} in '${name}'.`);
  }
  if (weights.every((weight) => weight === 0)) {
    throw dataError(`All weights in '${name}' are 0: no row counts.`);
  }
  return weights;
}
