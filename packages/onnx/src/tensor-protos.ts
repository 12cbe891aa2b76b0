/** Every tensor that a model stores, wherever it is: initialisers, attributes, subgraphs, functions. */
import type { GraphProto, NodeProto, TensorProto } from 'onnx-buf';
import type { Model } from './model.ts';

export interface StoredTensor {
  readonly tensor: TensorProto;
  /** Where it is, for messages: `initialiser 'w'`, `attribute 'value' of node 'c'`. */
  readonly place: string;
}

export function* storedTensors(model: Model): Generator<StoredTensor> {
  if (model.graph !== undefined) yield* tensorsOfGraph(model.graph);
  for (const each of model.functions) yield* tensorsOfNodes(each.node);
}

function* tensorsOfGraph(graph: GraphProto): Generator<StoredTensor> {
  for (const tensor of graph.initializer) {
    yield { tensor, place: `initialiser '${tensor.name}'` };
  }
  for (const { values, indices } of graph.sparseInitializer) {
    const place = `sparse initialiser '${values?.name ?? ''}'`;
    if (values !== undefined) yield { tensor: values, place };
    if (indices !== undefined) yield { tensor: indices, place };
  }
  yield* tensorsOfNodes(graph.node);
}

function* tensorsOfNodes(nodes: readonly NodeProto[]): Generator<StoredTensor> {
  for (const node of nodes) {
    for (const attribute of node.attribute) {
      const place = `attribute '${attribute.name}' of node '${node.name}' (${node.opType})`;
      if (attribute.t !== undefined) yield { tensor: attribute.t, place };
      for (const tensor of attribute.tensors) yield { tensor, place };
      if (attribute.g !== undefined) yield* tensorsOfGraph(attribute.g);
      for (const graph of attribute.graphs) yield* tensorsOfGraph(graph);
    }
  }
}
