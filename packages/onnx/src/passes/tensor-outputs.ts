/**
 * Replaces sequences and maps at a model's outputs by tensors, because only tensors can be served.
 *
 * | output                                         | becomes                                          |
 * | ---------------------------------------------- | ------------------------------------------------ |
 * | `ZipMap` of scikit-learn's exporters           | the scores that it reads; its labels are returned |
 * | a sequence of one tensor                       | this tensor, under the same name                 |
 * | a sequence of several tensors                  | outputs `NAME.0`, `NAME.1`, …                     |
 * | `SplitToSequence` into single slices           | the tensor that it splits                        |
 *
 * Several tensors are not stacked: a new first axis would no longer be the batch.
 */
import { create } from '@bufbuild/protobuf';
import {
  OperatorSetIdProtoSchema,
  type NodeProto,
  type TypeProto,
  type ValueInfoProto,
} from 'onnx-buf';
import { inferShapes } from '../infer/inference.ts';
import { domainName, opsetOf, withGraph, type Model } from '../model/model.ts';
import { readsOf, titleOf } from '../model/node-view.ts';
import { nodeProto, valueInfoProto } from '../model/protos.ts';
import { unsupportedModel, type OnnxError } from '../onnx-error.ts';
import { elementTypeOf } from '../tensor/element-type.ts';
import type { Dimension, TensorSpec } from '../tensor/tensor.ts';
import { liveNodes } from './dead-nodes.ts';

export interface TensorOutputs {
  /** The given model when all of its outputs are tensors. */
  readonly model: Model;
  /** Labels of the classes that an output scores, by the name of the output. */
  readonly labels: ReadonlyMap<string, readonly string[]>;
}

/** Outputs that all sequences together may become; keys and values of 500 layers are 1000. */
const MOST_TENSORS = 1024;
/** For files that import ai.onnx.ml alone: every runtime has it, and `Identity` is in it. */
const LEAST_OPSET = 8;

interface Elements {
  /** Values of the graph, one for each tensor of the sequence. */
  readonly names: readonly string[];
  readonly labels?: readonly string[];
}

/**
 * @param model a checked model, which is not changed.
 * @throws OnnxError `unsupported` for an output without a form as tensors, naming the node that makes it.
 */
export function withTensorOutputs(model: Model): TensorOutputs {
  const graph = model.graph!;
  const labels = new Map<string, readonly string[]>();
  if (!graph.output.some(isCollection)) return { model, labels };
  const makers = new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node])));
  const specs = inferShapes(model);
  const taken = new Set([...makers.keys(), ...graph.input.map(({ name }) => name)]);
  const replaced = new Set<string>();
  const added: NodeProto[] = [];
  const output = graph.output.flatMap((info) => {
    if (!isCollection(info)) return [info];
    const { name } = info;
    const found = elementsOf(info, makers);
    if (added.length + found.names.length > MOST_TENSORS) {
      throw unsupportedModel(
        `Output '${name}' is a sequence; all sequences together have more than ${MOST_TENSORS} tensors. Return one tensor, such as torch.stack of them.`,
      );
    }
    const isOne = found.names.length === 1;
    if (isOne) replaced.add(name);
    return found.names.map((element, at) => {
      const served = isOne ? name : unused(`${name}.${at}`, taken);
      if (found.labels !== undefined) labels.set(served, found.labels);
      added.push(nodeProto('Identity', served, [element], [served], {}));
      return infoOf(served, info.type, specs.get(element), found.labels);
    });
  });
  const kept = graph.node.filter((node) => !node.output.some((name) => replaced.has(name)));
  const reader = kept.find((node) => readsOf(node).some((name) => replaced.has(name)));
  if (reader !== undefined) {
    const name = readsOf(reader).find((each) => replaced.has(each))!;
    throw unservable(name, reader, 'reads it as');
  }
  const node = liveNodes([...kept, ...added], new Set(output.map(({ name }) => name)));
  const valueInfo = graph.valueInfo.filter(({ name }) => !replaced.has(name));
  return { model: withOperators(withGraph(model, { node, output, valueInfo })), labels };
}

function isCollection({ type }: ValueInfoProto): boolean {
  return type?.value.case === 'sequenceType' || type?.value.case === 'mapType';
}

/** Follows the nodes that make a sequence to the tensors in it. */
function elementsOf(output: ValueInfoProto, makers: ReadonlyMap<string, NodeProto>): Elements {
  const appended: string[] = [];
  let value = output.name;
  for (;;) {
    const node = makers.get(value);
    if (node === undefined) throw unservable(output.name, node, 'makes');
    const [first = '', second = '', third = ''] = node.input;
    const operator = `${domainName(node.domain)}:${node.opType}`;
    const names = appended.toReversed();
    if (operator === 'ai.onnx:Identity') {
      value = first;
    } else if (operator === 'ai.onnx:SequenceInsert' && third === '') {
      appended.push(second);
      value = first;
    } else if (operator === 'ai.onnx:SequenceConstruct') {
      return { names: [...node.input, ...names] };
    } else if (operator === 'ai.onnx:SequenceEmpty' && names.length > 0) {
      return { names };
    } else if (names.length > 0) {
      throw unservable(output.name, node, 'makes');
    } else if (operator === 'ai.onnx:SplitToSequence' && second === '') {
      return { names: [first] };
    } else if (operator === 'ai.onnx.ml:ZipMap') {
      return { names: [first], labels: labelsOf(node) };
    } else {
      throw unservable(output.name, node, 'makes');
    }
  }
}

function labelsOf({ attribute }: NodeProto): readonly string[] {
  const named = (key: string) => attribute.find(({ name }) => name === key);
  const texts = named('classlabels_strings')?.strings ?? [];
  if (texts.length > 0) return texts.map((text) => new TextDecoder().decode(text));
  return (named('classlabels_int64s')?.ints ?? []).map(String);
}

/** The file states the type of a sequence's tensors; a map's values are float32. */
function infoOf(
  name: string,
  type: TypeProto | undefined,
  spec: TensorSpec | undefined,
  labels: readonly string[] | undefined,
): ValueInfoProto {
  if (spec !== undefined) return valueInfoProto(name, spec.type, spec.shape);
  if (labels !== undefined) return valueInfoProto(name, 'float32', [null, labels.length || null]);
  const sequence = type?.value.case === 'sequenceType' ? type.value.value.elemType : undefined;
  const stated = sequence?.value.case === 'tensorType' ? sequence.value.value : undefined;
  const element = elementTypeOf(stated?.elemType ?? 0);
  if (element === undefined) {
    throw unsupportedModel(
      `Output '${name}' comes from a sequence whose element type is not stated. Return a tensor from the model, and export it again.`,
    );
  }
  const shape = stated?.shape?.dim.map(({ value }): Dimension => {
    if (value.case === 'dimValue') return value.value < 0n ? null : Number(value.value);
    return value.case === 'dimParam' && value.value !== '' ? value.value : null;
  });
  return valueInfoProto(name, element, shape);
}

function unused(name: string, taken: Set<string>): string {
  let free = name;
  while (taken.has(free)) free += '_';
  taken.add(free);
  return free;
}

function withOperators(model: Model): Model {
  if (opsetOf(model) !== undefined) return model;
  const added = create(OperatorSetIdProtoSchema, { version: BigInt(LEAST_OPSET) });
  return Object.assign(model, { opsetImport: [...model.opsetImport, added] });
}

/** @param node makes or reads the sequence or map; absent where the graph's caller gives it. */
function unservable(output: string, node: NodeProto | undefined, verb: string): OnnxError {
  const why = node === undefined ? 'it is an input' : `${titleOf(node)} ${verb} a sequence or map`;
  const fix =
    node?.domain === 'ai.onnx.ml'
      ? "Export the model again with options={'zipmap': False}."
      : 'Return tensors from the model, such as torch.stack of a list, and export it again.';
  return unsupportedModel(`Output '${output}' cannot be served as a tensor: ${why}. ${fix}`);
}
