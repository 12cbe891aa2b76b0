/**
 * Shape inference for passes that walk a graph and its bodies. A node that can never run is not an
 * error here: it may stand in a branch that is never taken.
 */
import { create } from '@bufbuild/protobuf';
import {
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
  type GraphProto,
  type NodeProto,
  type ValueInfoProto,
} from 'onnx-buf';
import { Inference } from '../infer/inference.ts';
import { opsetOf, type Model } from '../model/model.ts';
import { OnnxError } from '../onnx-error.ts';

/**
 * The facts before the first node that a runtime enforces: the types and fixed sizes of inputs, and initialisers. Neither the
 * names of sizes nor stated shapes of other values are enforced.
 */
export function enforcedFacts(model: Model): Inference {
  const inference = new Inference(opsetOf(model) ?? 1);
  for (const each of model.graph!.initializer) inference.addInitialiser(each);
  for (const each of model.graph!.input) inference.addInput(withoutSymbols(each));
  return inference;
}

/** The same and everything that the file states. */
export function statedFacts(model: Model): Inference {
  const graph = model.graph!;
  const inference = new Inference(opsetOf(model) ?? 1, [...graph.valueInfo, ...graph.output]);
  for (const each of graph.initializer) inference.addInitialiser(each);
  for (const each of graph.input) inference.addInput(each);
  return inference;
}

/** The facts before the first node of a body. */
export function factsInBody(outer: Inference, body: GraphProto): Inference {
  const inference = outer.nested();
  for (const each of body.initializer) inference.addInitialiser(each);
  return inference;
}

/** Adds what is known about the outputs of a node. */
export function follow(inference: Inference, node: NodeProto): void {
  try {
    inference.addNode(node);
  } catch (error) {
    if (!(error instanceof OnnxError)) throw error;
  }
}

function withoutSymbols(info: ValueInfoProto): ValueInfoProto {
  if (info.type?.value.case !== 'tensorType') return info;
  const tensor = info.type.value.value;
  const dim = tensor.shape?.dim.map((each) =>
    each.value.case === 'dimParam' ? create(TensorShapeProto_DimensionSchema) : each,
  );
  if (dim === undefined) return info;
  const shape = create(TensorShapeProtoSchema, { dim });
  const value = create(TypeProto_TensorSchema, { elemType: tensor.elemType, shape });
  const type = create(TypeProtoSchema, { value: { case: 'tensorType', value } });
  return create(ValueInfoProtoSchema, { name: info.name, type });
}
