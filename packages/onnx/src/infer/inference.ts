/**
 * Infers types and shapes of every value of a graph before it runs, node by node, so that the graph
 * can be queried while it is being written. Sizes may be symbols; shapes that the graph computes
 * (Shape, Gather, Concat, Reshape) are followed.
 *
 * A value without a rule, or that depends on data, is unknown, which is not an error. A node that
 * can never run is an error.
 */
import type { NodeProto, TensorProto, ValueInfoProto } from 'onnx-buf';
import { elementTypeOf } from '../tensor/element-type.ts';
import { constantValue } from '../model/constant.ts';
import { opsetOf, type Model } from '../model/model.ts';
import { NodeView } from '../model/node-view.ts';
import { invalidModel } from '../onnx-error.ts';
import { tensorOf } from '../model/protos.ts';
import { inferenceRule } from '../operators/registry.ts';
import type { Dimension, NumericTensor, Tensor, TensorSpec } from '../tensor/tensor.ts';
import { bounded, inferredOf, isSize, MOST_AXES, unknownSize } from './bounds.ts';
import type { Inferred, InferenceNode } from './rule.ts';
import { type Size, LONGEST_LIST } from './size.ts';

/**
 * Element type and shape of every value that could be inferred: inputs, initialisers and what the
 * nodes make. Symbols and expressions of them (`12*batch`) are kept, sizes without a name are `null`.
 *
 * @throws OnnxError `invalid` naming the first node whose inputs can never fit together.
 */
export function inferShapes(model: Model): ReadonlyMap<string, TensorSpec> {
  const inference = inferenceOf(model);
  const result = new Map<string, TensorSpec>();
  for (const [name, { type, shape }] of inference.known) {
    if (shape !== undefined) result.set(name, { name, type, shape: shape.map(named) });
  }
  return result;
}

/** A generated symbol is not a name. */
export function named(size: Size): Dimension {
  return typeof size === 'string' && size.includes('?') ? null : size;
}

export class Inference {
  readonly opset: number;
  readonly #known = new Map<string, Inferred>();
  readonly #constants = new Map<string, Tensor>();
  /** Numbers that stand for names that are too long for a symbol. */
  readonly #shortNames: Map<string, number>;
  /** The shapes that the file itself states, for operators without a rule. */
  readonly #stated: ReadonlyMap<string, ValueInfoProto>;
  /** The graph around this one. */
  readonly #outer: Inference | undefined;

  constructor(opset: number, stated: readonly ValueInfoProto[] = [], outer?: Inference) {
    this.opset = opset;
    this.#stated = new Map(stated.map((each) => [each.name, each]));
    this.#outer = outer;
    this.#shortNames = outer === undefined ? new Map() : outer.#shortNames;
  }

  /** Inference of a body, such as a branch of If, that reads values of this graph and redefines none. */
  nested(): Inference {
    return new Inference(this.opset, [], this);
  }

  get known(): ReadonlyMap<string, Inferred> {
    return this.#known;
  }

  of(name: string): Inferred | undefined {
    return this.#known.get(name) ?? this.#outer?.of(name);
  }

  constantOf(name: string): Tensor | undefined {
    return this.#constants.get(name) ?? this.#outer?.constantOf(name);
  }

  /** A symbol for an unknown size of a value. */
  unknown(name: string, axis: number): Size {
    return unknownSize(name, axis, this.#shortNames);
  }

  addInput(info: ValueInfoProto): void {
    const inferred = statedOf(info, (axis) => this.unknown(info.name, axis));
    if (inferred !== undefined && !this.#known.has(info.name)) {
      this.#known.set(info.name, inferred);
    }
  }

  addKnown(name: string, inferred: Inferred): void {
    this.#known.set(name, inferred);
  }

  addConstant(name: string, value: Tensor): void {
    requireShape(name, value.shape);
    this.#constants.set(name, value);
    this.#known.set(name, inferredOf(value));
  }

  addInitialiser(stored: TensorProto): void {
    const value = tensorOf(stored);
    const type = elementTypeOf(stored.dataType);
    if (value !== undefined) this.addConstant(stored.name, value);
    else if (type !== undefined) {
      const shape = stored.dims.map(Number);
      requireShape(stored.name, shape);
      this.addKnown(stored.name, { type, shape });
    }
  }

  addNode(proto: NodeProto): void {
    const inferred = this.#infer(proto);
    proto.output.forEach((name, index) => {
      if (name === '') return;
      const stated = this.#stated.get(name);
      const result = inferred[index];
      if (result?.shape !== undefined) this.#known.set(name, result);
      else if (stated !== undefined) this.addInput(stated);
      else if (result !== undefined) this.#known.set(name, result);
    });
    const value = this.#valueOf(proto);
    if (value !== undefined) this.#constants.set(proto.output[0]!, value);
  }

  /** Constants, and lists that exporters put together of constants, such as the scales of a Resize. */
  #valueOf(proto: NodeProto): Tensor | undefined {
    if (proto.opType === 'Constant') return constantValue(proto);
    if (proto.opType !== 'Concat') return undefined;
    const parts = proto.input.map((name) => this.constantOf(name));
    const lists: NumericTensor[] = [];
    let length = 0;
    for (const part of parts) {
      if (part === undefined || part.type === 'string' || part.shape.length !== 1) return undefined;
      length += part.shape[0]!;
      if (length > LONGEST_LIST) return undefined;
      lists.push(part);
    }
    const type = lists[0]?.type;
    if (type === undefined || lists.some((list) => list.type !== type)) return undefined;
    return { type, shape: [length], bytes: joinedBytes(lists) };
  }

  #infer(proto: NodeProto): readonly (Inferred | undefined)[] {
    if (proto.domain !== '' && proto.domain !== 'ai.onnx') return [];
    const rule = inferenceRule(proto.opType);
    if (rule === undefined) return [];
    if (proto.input.some((name) => name !== '' && this.of(name) === undefined)) return [];
    const node = new InferredNode(proto, this);
    return rule(node).map((result, output) => {
      const name = proto.output[output] ?? '';
      return (
        result &&
        bounded(
          result,
          (axis) => this.unknown(name, axis),
          (why) => node.fail(why),
        )
      );
    });
  }
}

export class InferredNode extends NodeView implements InferenceNode {
  readonly #inference: Inference;

  constructor(proto: NodeProto, inference: Inference) {
    super(proto);
    this.#inference = inference;
  }

  get opset(): number {
    return this.#inference.opset;
  }

  input(index: number): Inferred | undefined {
    const name = this.inputs[index] ?? '';
    return name === '' ? undefined : this.#inference.of(name);
  }

  given(index: number): Inferred {
    return this.input(index) ?? this.fail(`input ${index} is missing.`);
  }

  tensor(index: number): Tensor | undefined {
    return this.#inference.constantOf(this.inputs[index] ?? '');
  }

  /** Axes, sizes and widths: no list of them is long. */
  override attributeInts(attribute: string, absent?: readonly number[]): readonly number[] {
    const list = super.attributeInts(attribute, absent);
    if (list.length > LONGEST_LIST) {
      this.fail(
        `the attribute '${attribute}' has ${list.length} numbers; at most ${LONGEST_LIST} make sense.`,
      );
    }
    return list;
  }

  ints(index: number): readonly number[] | undefined {
    const elements = this.input(index)?.elements;
    return elements?.every((each) => typeof each === 'number') ? elements : undefined;
  }

  unknown(axis: number): Size {
    return this.#inference.unknown(this.outputs[0] ?? '', axis);
  }
}

export function inferenceOf(model: Model): Inference {
  const graph = model.graph;
  if (graph === undefined) throw invalidModel('The model holds no graph.');
  const inference = new Inference(opsetOf(model) ?? 1, [...graph.valueInfo, ...graph.output]);
  for (const each of graph.initializer) inference.addInitialiser(each);
  for (const each of graph.input) inference.addInput(each);
  for (const each of graph.node) inference.addNode(each);
  return inference;
}

/** @throws OnnxError `invalid` when a stored tensor claims a shape that none can have. */
function requireShape(name: string, shape: readonly number[]): void {
  if (shape.length <= MOST_AXES && shape.every(isSize)) return;
  throw invalidModel(
    shape.length > MOST_AXES
      ? `'${name}' has ${shape.length} axes; at most ${MOST_AXES} are supported.`
      : `'${name}' has a size that no tensor can have: [${shape.join(', ')}].`,
  );
}

function joinedBytes(lists: readonly NumericTensor[]): Uint8Array {
  const joined = new Uint8Array(lists.reduce((sum, { bytes }) => sum + bytes.byteLength, 0));
  let at = 0;
  for (const { bytes } of lists) {
    joined.set(bytes, at);
    at += bytes.byteLength;
  }
  return joined;
}

/** @param unknown a symbol for the size of an axis. */
function statedOf(
  { name, type }: ValueInfoProto,
  unknown: (axis: number) => Size,
): Inferred | undefined {
  if (type?.value.case !== 'tensorType') return undefined;
  const element = elementTypeOf(type.value.value.elemType);
  if (element === undefined) return undefined;
  const shape = type.value.value.shape?.dim.map(({ value }, axis) => {
    if (value.case === 'dimValue' && value.value >= 0n) return Number(value.value);
    if (value.case === 'dimParam' && value.value !== '') return value.value;
    return unknown(axis);
  });
  return bounded({ type: element, shape }, unknown, (why) => {
    throw invalidModel(`'${name}': ${why}`);
  });
}
