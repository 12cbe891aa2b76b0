/**
 * The layers of a model whose weights can be stored as integers: which input of a node holds
 * weights, and along which axis its output channels lie.
 */
import type { NodeProto } from 'onnx-buf';
import type { Model } from '../model/model.ts';
import { NodeView } from '../model/node-view.ts';
import { tensorOf } from '../model/protos.ts';
import { elementCount, values } from '../tensor/tensor.ts';
import type { Weights } from './weights.ts';

export interface Layer {
  /** Name of the node, or of its first output where it has none. */
  readonly name: string;
  readonly operator: string;
  readonly node: NodeProto;
  readonly weights: readonly LayerWeights[];
  /** Whether a runtime has kernels that compute it in integers. */
  readonly computes: boolean;
}

export interface LayerWeights extends Weights {
  /** Position among the inputs of the node. */
  readonly input: number;
}

/** Smaller weights are not worth the scales and nodes that integers need. */
const LEAST_WEIGHTS = 32;

type AxisOf = (node: NodeView, rank: number) => number | undefined;

interface Place {
  readonly input: number;
  /** `undefined`: these weights cannot have a scale per channel. */
  readonly axis: AxisOf;
}

const at = (input: number, axis: AxisOf): Place => ({
  input,
  axis,
});
const gates = (_: NodeView, rank: number) => (rank === 3 ? 1 : undefined);

const PLACES: ReadonlyMap<string, readonly Place[]> = new Map([
  ['Conv', [at(1, (_, rank) => (rank >= 3 ? 0 : undefined))]],
  [
    'ConvTranspose',
    [at(1, (node, rank) => (rank >= 3 && node.attributeInt('group', 1) === 1 ? 1 : undefined))],
  ],
  ['MatMul', [at(1, (_, rank) => (rank === 2 ? 1 : undefined))]],
  [
    'Gemm',
    [
      at(1, (node, rank) =>
        rank === 2 ? 1 - Number(node.attributeInt('transB', 0) !== 0) : undefined,
      ),
    ],
  ],
  [
    'Gather',
    [at(0, (node, rank) => (rank === 2 && node.attributeInt('axis', 0) === 0 ? 0 : undefined))],
  ],
  ['LSTM', [at(1, gates), at(2, gates)]],
  ['GRU', [at(1, gates), at(2, gates)]],
]);

/** In the order of the graph. Nodes in the branches of an If are not among them. */
export function layersOf(model: Model): readonly Layer[] {
  const graph = model.graph!;
  const stored = new Map(graph.initializer.map((each) => [each.name, each]));
  const names = new Set<string>();
  return graph.node.flatMap((node): Layer[] => {
    const places = isStandard(node) ? (PLACES.get(node.opType) ?? []) : [];
    const view = new NodeView(node);
    const weights = places.flatMap(({ input, axis }): LayerWeights[] => {
      const proto = stored.get(node.input[input] ?? '');
      const value = proto && tensorOf(proto);
      if (value?.type !== 'float32' || elementCount(value.shape) < LEAST_WEIGHTS) return [];
      const along = axis(view, value.shape.length);
      if (along === undefined) return [];
      const numbers = values(value) as Float32Array;
      return [{ input, name: proto!.name, shape: value.shape, axis: along, numbers }];
    });
    if (weights.length === 0) return [];
    const name = unique(node.name || (node.output[0] ?? node.opType), names);
    return [{ name, operator: node.opType, node, weights, computes: isProduct(view) }];
  });
}

export function isStandard({ domain }: NodeProto): boolean {
  return domain === '' || domain === 'ai.onnx';
}

/** Gemm with factors, or with a transposed input, has no kernel in integers. */
function isProduct(node: NodeView): boolean {
  if (node.opType !== 'Gemm') return node.opType === 'Conv' || node.opType === 'MatMul';
  return (
    node.attributeFloat('alpha', 1) === 1 &&
    node.attributeFloat('beta', 1) === 1 &&
    node.attributeInt('transA', 0) === 0
  );
}

function unique(name: string, taken: Set<string>): string {
  let found = name;
  for (let i = 2; taken.has(found); i++) found = `${name}_${i}`;
  taken.add(found);
  return found;
}
