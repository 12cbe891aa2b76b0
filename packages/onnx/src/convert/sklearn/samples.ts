/** The rows of a document, and the predictions of scikit-learn for them. */
import { stringTensor, tensor, type Tensor, type TensorMap } from '../../tensor/tensor.ts';
import type { OutputValues } from '../difference.ts';
import type { Place } from '../format/value.ts';
import { MOST_NODES } from '../limits.ts';
import type { Frame } from './frame.ts';

export interface Samples {
  /** By input of the graph. */
  readonly rows: TensorMap;
  readonly rowCount: number;
  /** The predictions of scikit-learn for these rows, by output. */
  readonly expected: ReadonlyMap<string, OutputValues>;
  /** The predictions that the user gave with the rows, by output. */
  readonly given: ReadonlyMap<string, OutputValues>;
}

/** @param inputs the columns of a row, in order. @throws OnnxError `invalid`. */
export function readSamples(place: Place, inputs: Frame): Samples {
  const count = place.at('count').count(MOST_NODES);
  const columns = place.at('columns').list();
  const rows = new Map<string, Tensor>();
  let next = 0;
  for (const { kind, name, width } of inputs) {
    const own = columns.slice(next, next + width);
    if (own.length !== width) throw place.at('columns').wrong('a column per feature');
    next += width;
    if (kind === 'text') {
      const texts = own[0]!.list().map((each) => each.text());
      if (texts.length !== count) throw own[0]!.wrong(`${count} texts`);
      rows.set(name, stringTensor([count, 1], texts));
    } else if (kind === 'numbers') {
      const numbers = own.map((column) => column.numbers(count));
      const matrix = new Float32Array(count * width);
      numbers.forEach((column, feature) =>
        column.forEach((value, at) => {
          matrix[at * width + feature] = value;
        }),
      );
      rows.set(name, tensor('float32', [count, width], matrix));
    }
  }
  return { rows, rowCount: count, ...predictionsIn(place) };
}

function predictionsIn(place: Place): Pick<Samples, 'expected' | 'given'> {
  const given = place.at('given');
  return {
    expected: outputsOf(place.at('outputs')),
    given: given.exists ? outputsOf(given) : new Map(),
  };
}

function outputsOf(place: Place): Samples['expected'] {
  if (!(place.value instanceof Map)) throw place.wrong('predictions by output');
  return new Map(
    [...place.value.keys()].map((name): [string, OutputValues] => {
      const each = place.at(name);
      const isTexts = Array.isArray(each.value) && each.value.length > 0;
      return [name, isTexts ? each.list().map((text) => text.text()) : each.numbers()];
    }),
  );
}
