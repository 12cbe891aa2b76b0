/** The columns between two steps of a pipeline, as tensors of the graph. */
import { invalidModel, unsupportedModel } from '../../onnx-error.ts';
import type { GraphBuilder } from '../../model/builder.ts';
import { elementTypeNumber } from '../../tensor/element-type.ts';
import { stringTensor, tensor } from '../../tensor/tensor.ts';

/** Numbers of 64 bits are computed as scikit-learn computes them; a tree takes 32. */
export type Precision = 'float32' | 'float64';

/** [batch, width]. */
export interface NumberPart {
  readonly kind: 'numbers';
  readonly name: string;
  readonly width: number;
  readonly type: Precision;
}

/** [batch, 1] of texts; an empty one is a missing value. */
export interface TextPart {
  readonly kind: 'text';
  readonly name: string;
  readonly width: 1;
  /** The text that takes the place of a missing one. */
  readonly fill?: string;
}

/** A column of the rows that no step reads: it is no input of the graph. */
export interface UnusedPart {
  readonly kind: 'unused';
  readonly name: string;
  readonly width: 1;
}

export type Part = NumberPart | TextPart | UnusedPart;
export type Frame = readonly Part[];

export const widthOf = (frame: Frame): number => frame.reduce((sum, { width }) => sum + width, 0);

/** A graph whose constants have no names of their own. */
export class Writer {
  readonly graph: GraphBuilder;
  #constants = 0;

  constructor(graph: GraphBuilder) {
    this.graph = graph;
  }

  node(...[operator, inputs, attributes]: Parameters<GraphBuilder['node']>): string {
    return this.graph.node(operator, inputs, attributes)[0];
  }

  numbers(
    numbers: ArrayLike<number>,
    shape: readonly number[],
    type: Precision = 'float64',
  ): string {
    const value =
      type === 'float64'
        ? tensor('float64', shape, Float64Array.from(numbers))
        : tensor('float32', shape, Float32Array.from(numbers));
    return this.graph.initializer(this.#name(), value);
  }

  wholes(numbers: ArrayLike<number>): string {
    const array = BigInt64Array.from(Array.from(numbers, (each) => BigInt(each)));
    return this.graph.initializer(this.#name(), tensor('int64', [array.length], array));
  }

  texts(texts: readonly string[]): string {
    return this.graph.initializer(this.#name(), stringTensor([texts.length], texts));
  }

  cast(name: string, type: Precision | 'int64'): string {
    return this.node('Cast', [name], { to: elementTypeNumber(type) });
  }

  #name(): string {
    return `constant_${this.#constants++}`;
  }
}

export function numberPart(name: string, width: number, type: Precision = 'float64'): NumberPart {
  return { kind: 'numbers', name, width, type };
}

/** All columns as one matrix. @throws OnnxError `unsupported` for a column of texts. */
export function matrixOf(writer: Writer, frame: Frame, type: Precision = 'float64'): string {
  const names = frame.map((part) => {
    if (part.kind !== 'numbers') {
      throw unsupportedModel(
        `The column "${part.name}" holds texts and is not encoded before a step that takes numbers. Add an encoder for it to the pipeline.`,
      );
    }
    return part.type === type ? part.name : writer.cast(part.name, type);
  });
  if (names.length === 0) throw invalidModel('A step of the model has no column.');
  return names.length === 1 ? names[0]! : writer.node('Concat', names, { axis: 1 });
}

/** The columns at these positions. @throws OnnxError `invalid` for one that is not there. */
export function pick(writer: Writer, frame: Frame, positions: ArrayLike<number>): Frame {
  const isWhole =
    positions.length === widthOf(frame) && Array.from(positions).every((each, at) => each === at);
  if (isWhole) return frame;
  const places = frame.flatMap((part) =>
    Array.from({ length: part.width }, (_, at) => ({ part, at })),
  );
  const picked: { part: Part; columns: number[] }[] = [];
  for (const position of Array.from(positions)) {
    const place = places[position];
    if (place === undefined) {
      throw invalidModel(`A step reads column ${position} of ${places.length}.`);
    }
    const last = picked.at(-1);
    if (last?.part === place.part && place.part.kind === 'numbers') last.columns.push(place.at);
    else picked.push({ part: place.part, columns: [place.at] });
  }
  return picked.map(({ part, columns }) => {
    if (part.width === 1 && columns.length === 1) return part;
    const name = writer.node('Gather', [part.name, writer.wholes(columns)], { axis: 1 });
    return numberPart(name, columns.length, (part as NumberPart).type);
  });
}
