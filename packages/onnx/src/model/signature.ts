/** The inputs and outputs of a model, read from its graph without running it. */
import type { TensorShapeProto_Dimension, ValueInfoProto } from 'onnx-buf';
import { elementTypeName, elementTypeOf } from '../tensor/element-type.ts';
import type { Model } from './model.ts';
import { invalidModel, unsupportedModel } from '../onnx-error.ts';
import type { Dimension, Signature, TensorSpec } from '../tensor/tensor.ts';

/**
 * The inputs that a caller must give and the outputs it gets, in the graph's order. Initialisers
 * that are listed as inputs, as files before IR version 4 do, are not among them.
 *
 * An output whose rank the file leaves open has the shape `[]`; the session has the rank after ONNX
 * Runtime has inferred it.
 *
 * @throws OnnxError `unsupported` for an input or output that is not a tensor, whose element type
 *   tensors here cannot have, or (inputs) whose rank is not stated.
 */
export function signatureOf(model: Model): Signature {
  const graph = model.graph;
  if (graph === undefined) throw invalidModel('The model holds no graph.');
  const initialised = new Set<string>();
  for (const each of graph.initializer) initialised.add(each.name);
  for (const each of graph.sparseInitializer) initialised.add(each.values?.name ?? '');
  return {
    inputs: graph.input
      .filter(({ name }) => !initialised.has(name))
      .map((each) => specOf('Input', each)),
    outputs: graph.output.map((each) => specOf('Output', each)),
  };
}

function specOf(role: 'Input' | 'Output', info: ValueInfoProto): TensorSpec {
  const value = info.type?.value;
  if (value?.case === undefined) {
    throw invalidModel(`${role} '${info.name}' has no type.`);
  }
  if (value.case !== 'tensorType') {
    const kind = { sequenceType: 'a sequence', mapType: 'a map', optionalType: 'an optional' };
    const what = value.case in kind ? kind[value.case as keyof typeof kind] : 'a sparse tensor';
    throw unsupportedModel(
      `${role} '${info.name}' is ${what}; only tensors can be served. Export the model with tensors at its border.`,
    );
  }
  const tensor = value.value;
  const type = elementTypeOf(tensor.elemType);
  if (type === undefined) {
    throw unsupportedModel(
      `${role} '${info.name}' has the element type ${elementTypeName(tensor.elemType)}, which cannot be served.`,
    );
  }
  if (tensor.shape === undefined && role === 'Input') {
    throw unsupportedModel(
      `Input '${info.name}' has no shape. State its rank, with named or unnamed dimensions where the size is open.`,
    );
  }
  return { name: info.name, type, shape: (tensor.shape?.dim ?? []).map(dimensionOf) };
}

function dimensionOf(dim: TensorShapeProto_Dimension): Dimension {
  const size = dim.value;
  // Some exporters write -1 for an open size.
  if (size.case === 'dimValue') return size.value < 0n ? null : Number(size.value);
  if (size.case === 'dimParam' && size.value !== '') return size.value;
  return null;
}
