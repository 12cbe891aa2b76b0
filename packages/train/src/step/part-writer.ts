/** Writes a node of the model out as several nodes, whose names contain the original name. */
import {
  type GraphBuilder,
  tensor,
  type Attribute,
  type ElementType,
  type Model,
  type NumericTensor,
} from '@skein/onnx';
import { modelError } from '../train-error.ts';

export type Node = NonNullable<Model['graph']>['node'][number];

export function titleOf({ name, opType, output }: Node): string {
  return `Node '${name || output[0]}' (${opType})`;
}

export interface PartWriter {
  /** Adds a node; returns its output, which has a name of its own unless one is given. */
  emit(
    operator: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, Attribute>>,
    output?: string,
  ): string;
  constant(value: NumericTensor): string;
  /** A constant of shape []. */
  scalar(type: ElementType, value: number): string;
  /** A constant int64 list. */
  ints(list: readonly number[]): string;
}

/** @throws TrainError `model` for a scalar of a type that cannot be trained. */
export function partWriter(graph: GraphBuilder, node: Node): PartWriter {
  const prefix = `training/${node.name || node.output[0]!}`;
  let count = 0;
  const unique = (what: string) => `${prefix}/${what}_${count++}`;
  const constant = (value: NumericTensor) => graph.initializer(unique('constant'), value);
  return {
    emit(operator, inputs, attributes = {}, output) {
      const name = unique(operator);
      return graph.node(operator, inputs, attributes, { name, outputs: [output ?? name] })[0];
    },
    constant,
    scalar(type, value) {
      if (type === 'float32') return constant(tensor(type, [], Float32Array.of(value)));
      if (type === 'float64') return constant(tensor(type, [], Float64Array.of(value)));
      if (type === 'uint32') return constant(tensor(type, [], Uint32Array.of(value)));
      throw modelError(`${titleOf(node)} has type ${type}, which cannot be trained with.`);
    },
    ints: (list) => constant(tensor('int64', [list.length], BigInt64Array.from(list, BigInt))),
  };
}
