/** Every tensor that a model stores, wherever it is: initialisers, attributes, subgraphs, functions. */
import type {
  AttributeProto,
  GraphProto,
  NodeProto,
  SparseTensorProto,
  TensorProto,
} from 'onnx-buf';
import type { Model } from './model.ts';

export interface StoredTensor {
  readonly tensor: TensorProto;
  /** Where it is, for messages: `initialiser 'w'`, `attribute 'value' of node 'c'`. */
  readonly place: string;
}

export function* storedTensors(model: Model): Generator<StoredTensor> {
  if (model.graph !== undefined) yield* tensorsOfGraph(model.graph);
  for (const { initialization, algorithm } of model.trainingInfo) {
    if (initialization !== undefined) yield* tensorsOfGraph(initialization);
    if (algorithm !== undefined) yield* tensorsOfGraph(algorithm);
  }
  for (const { name, node, attributeProto } of model.functions) {
    yield* tensorsOfAttributes(attributeProto, `function '${name}'`);
    yield* tensorsOfNodes(node);
  }
}

function* tensorsOfGraph(graph: GraphProto): Generator<StoredTensor> {
  for (const tensor of graph.initializer) {
    yield { tensor, place: `initialiser '${tensor.name}'` };
  }
  for (const sparse of graph.sparseInitializer) {
    yield* tensorsOfSparse(sparse, `sparse initialiser '${sparse.values?.name ?? ''}'`);
  }
  yield* tensorsOfNodes(graph.node);
}

function* tensorsOfSparse(
  { values, indices }: SparseTensorProto,
  place: string,
): Generator<StoredTensor> {
  if (values !== undefined) yield { tensor: values, place };
  if (indices !== undefined) yield { tensor: indices, place };
}

function* tensorsOfNodes(nodes: readonly NodeProto[]): Generator<StoredTensor> {
  for (const { attribute, name, opType } of nodes) {
    yield* tensorsOfAttributes(attribute, `node '${name}' (${opType})`);
  }
}

function* tensorsOfAttributes(
  attributes: readonly AttributeProto[],
  owner: string,
): Generator<StoredTensor> {
  for (const attribute of attributes) {
    const place = `attribute '${attribute.name}' of ${owner}`;
    if (attribute.t !== undefined) yield { tensor: attribute.t, place };
    for (const tensor of attribute.tensors) yield { tensor, place };
    if (attribute.sparseTensor !== undefined) yield* tensorsOfSparse(attribute.sparseTensor, place);
    for (const sparse of attribute.sparseTensors) yield* tensorsOfSparse(sparse, place);
    if (attribute.g !== undefined) yield* tensorsOfGraph(attribute.g);
    for (const graph of attribute.graphs) yield* tensorsOfGraph(graph);
  }
}
