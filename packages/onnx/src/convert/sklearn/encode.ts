/** Categories as numbers: an index of the category, then its code or its column. */
import { unsupportedModel, invalidModel } from '../../onnx-error.ts';
import type { Place } from '../format/value.ts';
import { MOST_FEATURES } from '../limits.ts';
import {
  matrixOf,
  numberPart,
  pick,
  widthOf,
  type Frame,
  type Part,
  type Writer,
} from './frame.ts';

export function encode(writer: Writer, frame: Frame, place: Place): Frame {
  const columns = place.at('columns').list();
  if (columns.length !== widthOf(frame)) throw place.at('columns').wrong('an encoder per column');
  const isHot = place.at('form').text() === 'one-hot';
  return columns
    .map((column, at) => {
      const [part] = pick(writer, frame, [at]);
      const index = column.at('texts').exists
        ? indexOfText(writer, part!, column.at('texts'))
        : indexOfNumber(writer, part!, column.at('numbers'));
      const codes = column.at('codes').numbers(categoriesOf(column));
      const unknown = column.at('unknown').value;
      if (typeof unknown !== 'number') throw column.at('unknown').wrong('a number');
      const table = writer.numbers([...codes, unknown], [codes.length + 1]);
      const code = writer.node('Gather', [table, index], { axis: 0 });
      if (!isHot) return numberPart(code, 1);
      const width = column.at('width').count(MOST_FEATURES);
      const positions = writer.numbers(
        Array.from({ length: width }, (_, each) => each),
        [width],
      );
      return numberPart(writer.cast(writer.node('Equal', [code, positions]), 'float64'), width);
    })
    .filter(({ width }) => width > 0);
}

const categoriesOf = (column: Place): number =>
  column.at('texts').exists
    ? column.at('texts').list().length
    : column.at('numbers').numbers().length;

/** [batch, 1] of positions; unknown texts have the position after the last category. */
function indexOfText(writer: Writer, part: Part, place: Place): string {
  if (part.kind !== 'text') throw invalidModel('A step encodes texts in a column of numbers.');
  const known = new Set<string>();
  const keys: string[] = [];
  const positions: number[] = [];
  const categories = place.list();
  const add = (key: string, position: number): void => {
    if (known.has(key)) return;
    known.add(key);
    keys.push(key);
    positions.push(position);
  };
  if (part.fill !== undefined) {
    const filled = categories.findIndex((each) => each.value === part.fill);
    add('', filled < 0 ? categories.length : filled);
  }
  categories.forEach((each, at) => add(each.exists ? each.text() : '', at));
  const [index] = writer.graph.node(
    'LabelEncoder',
    [part.name],
    { keys_strings: keys, values_int64s: positions, default_int64: categories.length },
    { domain: 'ai.onnx.ml' },
  );
  return index;
}

function indexOfNumber(writer: Writer, part: Part, place: Place): string {
  const categories = place.numbers();
  const count = categories.length;
  if (count === 0)
    throw unsupportedModel('An encoder of the model has a column without categories.');
  // The input has 32 bits, and so have the categories that it is compared with.
  const x = matrixOf(writer, [part], 'float32');
  const equal = writer.node('Equal', [x, writer.numbers(categories, [count], 'float32')]);
  const matches = writer.cast(equal, 'float32');
  const best = writer.node('ArgMax', [matches], { axis: 1, keepdims: 1 });
  const isKnown = writer.node('Greater', [
    writer.node('ReduceMax', [matches], { axes: [1], keepdims: 1 }),
    writer.numbers([0], [1], 'float32'),
  ]);
  const index = writer.node('Where', [isKnown, best, writer.wholes([count])]);
  const missing = categories.findIndex((each) => Number.isNaN(each));
  if (missing < 0) return index;
  return writer.node('Where', [writer.node('IsNaN', [x]), writer.wholes([missing]), index]);
}
