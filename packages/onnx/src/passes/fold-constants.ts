/**
 * Constant folding, as far as training needs it: weights that an exporter stored in `Constant`
 * nodes become initialisers, which can be trained, frozen and inspected. ONNX Runtime does all
 * other folding when it loads a model.
 */
import type { NodeProto } from 'onnx-buf';
import { withGraph, type Model } from '../model/model.ts';
import { NodeView } from '../model/node-view.ts';
import { tensorProto } from '../model/protos.ts';
import { stringTensor, tensor, type Tensor } from '../tensor/tensor.ts';

/** A model whose constants are initialisers. The given model is not changed; weights are shared. */
export function foldConstants(model: Model): Model {
  const graph = model.graph!;
  // Not every runtime accepts an initialiser as an output.
  const outputs = new Set(graph.output.map(({ name }) => name));
  const initializer = [...graph.initializer];
  const node = graph.node.filter((each) => {
    const name = each.output[0] ?? '';
    const value = outputs.has(name) ? undefined : constantOf(each);
    if (value === undefined) return true;
    initializer.push(tensorProto(name, value));
    return false;
  });
  return withGraph(model, { node, initializer });
}

/** The value of a Constant node; `undefined` for other nodes, and for what tensors here cannot hold. */
function constantOf(proto: NodeProto): Tensor | undefined {
  if (proto.opType !== 'Constant' || (proto.domain !== '' && proto.domain !== 'ai.onnx')) {
    return undefined;
  }
  const node = new NodeView(proto);
  const list = (name: string) => node.attributeInts(name).map(BigInt);
  if (node.has('value')) return node.attributeTensor('value');
  if (node.has('value_float')) {
    return tensor('float32', [], Float32Array.of(node.attributeFloat('value_float')));
  }
  if (node.has('value_floats')) {
    const numbers = node.attributeFloats('value_floats');
    return tensor('float32', [numbers.length], Float32Array.from(numbers));
  }
  if (node.has('value_int')) {
    return tensor('int64', [], BigInt64Array.of(BigInt(node.attributeInt('value_int'))));
  }
  if (node.has('value_ints')) {
    const numbers = list('value_ints');
    return tensor('int64', [numbers.length], BigInt64Array.from(numbers));
  }
  return node.has('value_string')
    ? stringTensor([], [node.attributeString('value_string')])
    : undefined;
}
