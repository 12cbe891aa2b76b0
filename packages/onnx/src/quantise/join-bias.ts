/**
 * Makes one Gemm of a MatMul of matrices and the bias that is added to its product: an integer Gemm
 * adds its bias before the result is scaled, so that nothing is left to compute in floats.
 */
import type { NodeProto } from 'onnx-buf';
import { inferShapes } from '../infer/inference.ts';
import { withGraph, type Model } from '../model/model.ts';
import { readsOf } from '../model/node-view.ts';
import { nodeProto } from '../model/protos.ts';
import { isStandard } from './layers.ts';

/** The same function of the inputs. The given model is not changed. */
export function joinBias(model: Model): Model {
  const graph = model.graph!;
  const specs = inferShapes(model);
  const constants = new Set(graph.initializer.map(({ name }) => name));
  const outputs = new Set(graph.output.map(({ name }) => name));
  const reads = new Map<string, number>();
  for (const name of graph.node.flatMap(readsOf)) reads.set(name, (reads.get(name) ?? 0) + 1);
  const products = new Map<string, NodeProto>();
  const joined = new Set<NodeProto>();
  for (const node of graph.node) {
    const [data = '', weights = ''] = node.input;
    const result = node.output[0] ?? '';
    if (!isStandard(node) || node.opType !== 'MatMul' || !constants.has(weights)) continue;
    if (reads.get(result) !== 1 || outputs.has(result)) continue;
    const isMatrix = [data, weights].every((name) => specs.get(name)?.shape.length === 2);
    if (isMatrix && specs.get(data)?.type === 'float32') products.set(result, node);
  }
  const added = graph.node.map((node) => {
    if (!isStandard(node) || node.opType !== 'Add' || node.input.length !== 2) return node;
    const product = products.get(node.input.find((name) => products.has(name)) ?? '');
    const bias = node.input.find((name) => constants.has(name));
    if (product === undefined || bias === undefined) return node;
    const width = specs.get(product.input[1]!)!.shape[1];
    const shape = specs.get(bias)?.shape ?? [];
    if (shape.length !== 1 || shape[0] !== width) return node;
    joined.add(product);
    return nodeProto('Gemm', product.name || node.name, [...product.input, bias], node.output, {});
  });
  return withGraph(model, { node: added.filter((node) => !joined.has(node)) });
}
