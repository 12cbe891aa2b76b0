/**
 * The part of a graph that is computed in integers: the static layers, and the nodes between them
 * that can pass integers on.
 *
 * A runtime fuses `DequantizeLinear → node → QuantizeLinear` to one kernel. A node between two layers
 * that stayed in floats would cost two conversions, so a carrier joins the region when everything
 * that it reads comes from the region and something that it makes is read there.
 */
import type { NodeProto } from 'onnx-buf';
import type { Model } from '../model/model.ts';
import { readsOf } from '../model/node-view.ts';
import { isStandard, type Layer } from './layers.ts';
import type { Plan } from './plan.ts';

export interface Region {
  /** Values that are stored as integers. */
  readonly values: ReadonlySet<string>;
  /** Values that a node of the region makes: every reader gets the restored numbers. */
  readonly made: ReadonlySet<string>;
  /** Nodes that read integers, and which of their inputs. */
  readonly readers: ReadonlyMap<NodeProto, readonly number[]>;
  /** Values on the same grid as another one, because their node only moves numbers. */
  readonly sharedGrid: ReadonlyMap<string, string>;
}

/** Operators that move numbers: they read and write one grid. */
const MOVERS = new Set(['MaxPool', 'Reshape', 'Flatten', 'Transpose', 'Squeeze', 'Unsqueeze']);
/** Operators with a kernel in integers, by how many inputs are data; `Infinity`: all of them. */
const CARRIERS: ReadonlyMap<string, number> = new Map([
  ...[...MOVERS].map((operator) => [operator, 1] as const),
  ['Relu', 1],
  ['AveragePool', 1],
  ['GlobalAveragePool', 1],
  ['LeakyRelu', 1],
  ['Add', 2],
  ['Mul', 2],
  ['Concat', Infinity],
]);

export function regionOf(model: Model, layers: readonly Layer[], plan: Plan): Region {
  const graph = model.graph!;
  const constants = new Set(graph.initializer.map(({ name }) => name));
  const settled = settlement(model, constants);
  const isStatic = new Set(
    layers
      .filter(({ name, node }) => plan.get(name) === 'static' && !constants.has(node.input[0]!))
      .map(({ node }) => node),
  );
  // Forward: what could be integers.
  const made = new Set<string>();
  const candidates = new Map<NodeProto, readonly number[]>();
  for (const node of graph.node) {
    const data = dataInputs(node);
    const joins = data.length > 0 && data.every((input) => made.has(node.input[input]!));
    if (joins) candidates.set(node, data);
    if (joins || isStatic.has(node)) made.add(settled(node));
  }
  // Backward: what is of use as integers.
  const values = new Set<string>();
  const readers = new Map<NodeProto, readonly number[]>();
  const sharedGrid = new Map<string, string>();
  for (const node of graph.node.toReversed()) {
    const data = isStatic.has(node) ? [0] : candidates.get(node);
    if (data === undefined) continue;
    const result = settled(node);
    if (!isStatic.has(node) && !values.has(result)) continue;
    // Without a stored result, there is no kernel for a convolution of integers.
    if (node.opType === 'Conv') values.add(result);
    for (const input of data) values.add(node.input[input]!);
    readers.set(node, data);
    if (MOVERS.has(node.opType) && result === node.output[0])
      sharedGrid.set(result, node.input[0]!);
  }
  return { values, made, readers, sharedGrid };
}

function dataInputs(node: NodeProto): readonly number[] {
  const count = isStandard(node) ? (CARRIERS.get(node.opType) ?? 0) : 0;
  // The second output of MaxPool is positions, which integers do not have.
  if (node.output.length !== 1) return [];
  return node.input.slice(0, count).map((_, input) => input);
}

/**
 * The value in which a node's result is stored: a bias that is added and a rectifier belong to the
 * node before, when nothing else reads what is between.
 */
function settlement(model: Model, constants: ReadonlySet<string>): (node: NodeProto) => string {
  const graph = model.graph!;
  const readers = new Map<string, NodeProto[]>();
  for (const node of graph.node) {
    for (const name of new Set(readsOf(node)))
      readers.set(name, [...(readers.get(name) ?? []), node]);
  }
  const outputs = new Set(graph.output.map(({ name }) => name));
  return (node) => {
    let value = node.output[0]!;
    for (let last = node.opType; !outputs.has(value);) {
      const [reader, ...others] = readers.get(value) ?? [];
      if (reader === undefined || others.length > 0 || !isStandard(reader)) break;
      const { opType, input } = reader;
      const isBias =
        opType === 'Add' && last === 'MatMul' && input.some((name) => constants.has(name));
      const isRectifier =
        (opType === 'Relu' || opType === 'Clip') &&
        input.every((name) => name === value || name === '' || constants.has(name));
      if (!isBias && !isRectifier) break;
      last = opType;
      value = reader.output[0]!;
    }
    return value;
  };
}
