/**
 * Moves a ReLU behind the max pooling that follows it. Both are monotone, so the result is the same
 * number, but the ReLU and the mask of its gradient then work on the pooled elements: for windows
 * of 2 × 2 a quarter of them.
 */
import { create } from '@bufbuild/protobuf';
import { NodeProtoSchema, type NodeProto } from 'onnx-buf';
import { withGraph, type Model } from '../model/model.ts';
import { NodeView, readsOf } from '../model/node-view.ts';

/** @param kept names that must stay. The given model is not changed. */
export function reluAfterPool(model: Model, kept: ReadonlySet<string>): Model {
  const graph = model.graph!;
  const readers = new Map<string, number>();
  for (const name of graph.node.flatMap(readsOf)) {
    readers.set(name, (readers.get(name) ?? 0) + 1);
  }
  const outputs = new Set(graph.output.map(({ name }) => name));
  const node = [...graph.node];
  const relus = new Map<string, number>();
  const shrunk = new Set<string>();
  node.forEach((each, index) => {
    if (isStandard(each, 'Relu')) relus.set(each.output[0]!, index);
    const between = each.input[0] ?? '';
    const at = relus.get(between);
    if (at === undefined || !isStandard(each, 'MaxPool') || !canPrecede(each)) return;
    if (readers.get(between) !== 1 || outputs.has(between) || kept.has(between)) return;
    node[at] = copyOf(each, node[at]!.input[0]!, between);
    node[index] = copyOf(graph.node[at]!, between, each.output[0]!);
    shrunk.add(between);
  });
  if (shrunk.size === 0) return model;
  const valueInfo = graph.valueInfo.filter(({ name }) => !shrunk.has(name));
  return withGraph(model, { node, valueInfo });
}

/**
 * Rounding up and gaps can make a window of padding only, whose maximum is not a number of the
 * input.
 */
function canPrecede(pool: NodeProto): boolean {
  const view = new NodeView(pool);
  const hasIndices = (pool.output[1] ?? '') !== '';
  const hasGaps = view.attributeInts('dilations', []).some((step) => step !== 1);
  return !hasIndices && !hasGaps && view.attributeInt('ceil_mode', 0) === 0;
}

function isStandard({ domain, opType }: NodeProto, wanted: string): boolean {
  return (domain === '' || domain === 'ai.onnx') && opType === wanted;
}

function copyOf(node: NodeProto, input: string, output: string): NodeProto {
  return Object.assign(create(NodeProtoSchema), node, { input: [input], output: [output] });
}
