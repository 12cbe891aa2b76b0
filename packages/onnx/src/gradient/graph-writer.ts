/**
 * Appends the nodes and constants of the rules to the forward graph, with types and shapes inferred
 * as they are added, so that a rule can ask about the nodes of another rule.
 *
 * Nodes without effect (a product with 1, a transposition to the same order) are not written, and
 * an equal node is not written twice: rules may be simple and the graph stays small.
 */
import type { NodeProto, TensorProto } from 'onnx-buf';
import type { Attribute } from '../model/attribute.ts';
import { elementTypeNumber } from '../tensor/element-type.ts';
import { filled } from '../tensor/numbers.ts';
import type { Inference } from '../infer/inference.ts';
import { isStatic, type Size } from '../infer/size.ts';
import { unsupportedModel } from '../onnx-error.ts';
import { nodeProto, tensorProto } from '../model/protos.ts';
import { elementCount, tensor, values, type ElementType, type Tensor } from '../tensor/tensor.ts';
import type { GradientGraph } from './rule.ts';

/** Nodes of one gradient: a network of ten thousand nodes takes some forty thousand. */
const MOST_NODES = 1 << 17;
/** Elements of the constants of one gradient, such as the weights of a Resize along its axes: 64 MiB. */
const MOST_ELEMENTS = 1 << 24;

export class GraphWriter implements GradientGraph {
  readonly nodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  /** Title of the node whose rule is running, for messages. */
  subject = '';
  readonly inference: Inference;
  readonly #taken: Set<string>;
  /** Initialisers that are trained, and so are not constants. */
  readonly #trained: ReadonlySet<string>;
  /** The written nodes, by the value that they compute. */
  readonly #made = new Map<string, readonly string[]>();
  readonly #nodeOf = new Map<string, NodeProto>();
  #count = 0;
  /** Elements of constants so far. */
  #reserved = 0;

  readonly #prefix: string;

  /** Names begin with `prefix`; `taken` are the names of the graph so far. */
  constructor(
    inference: Inference,
    taken: Set<string>,
    trained: ReadonlySet<string>,
    prefix = 'gradient',
  ) {
    this.#prefix = prefix;
    this.inference = inference;
    this.#taken = taken;
    this.#trained = trained;
  }

  get opset(): number {
    return this.inference.opset;
  }

  emit(
    opType: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    return (
      this.#simplified(opType, inputs, attributes) ??
      this.emitAll(opType, inputs, attributes, 1)[0]!
    );
  }

  emitAll(
    opType: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
    outputs: number,
  ): readonly string[] {
    const key = JSON.stringify([opType, inputs, attributes, outputs]);
    const existing = opType.startsWith('Random') ? undefined : this.#made.get(key);
    if (existing !== undefined) return existing;
    if (this.nodes.length >= MOST_NODES) {
      this.fail(`the gradient would take more than ${MOST_NODES} nodes`);
    }
    for (const [attribute, value] of Object.entries(attributes)) {
      const numbers: readonly unknown[] = Array.isArray(value) ? value : [value];
      if (numbers.some((each) => typeof each === 'number' && !Number.isSafeInteger(each))) {
        this.fail(`'${attribute}' would be ${JSON.stringify(value)}`);
      }
    }
    const name = this.unique(opType);
    const names = Array.from({ length: outputs }, (_, i) => (i === 0 ? name : `${name}_${i}`));
    const node = nodeProto(opType, name, inputs, names, attributes);
    this.nodes.push(node);
    this.#nodeOf.set(name, node);
    this.inference.addNode(node);
    this.#made.set(key, names);
    return names;
  }

  /** The node that was written for a value, whose first output it is. */
  nodeOf(name: string): NodeProto | undefined {
    return this.#nodeOf.get(name);
  }

  /** Registers outputs that were added to a forward node. */
  inferAgain(node: NodeProto): void {
    this.inference.addNode(node);
  }

  constant(value: Tensor): string {
    // Only small constants are worth a lookup key.
    const small = value.type !== 'string' && value.bytes.byteLength <= 256;
    const key = small ? `${value.type}[${value.shape}]${Array.from(value.bytes)}` : undefined;
    const existing = key === undefined ? undefined : this.#made.get(key);
    if (existing !== undefined) return existing[0]!;
    const name = this.unique('constant');
    this.initializers.push(tensorProto(name, value));
    this.inference.addConstant(name, value);
    if (key !== undefined) this.#made.set(key, [name]);
    return name;
  }

  scalar(value: number, like: string): string {
    return this.constant(filled(this.typeOf(like), [], value));
  }

  reserve(elements: number): number {
    this.#reserved += elements;
    if (this.#reserved >= 0 && this.#reserved <= MOST_ELEMENTS) return elements;
    return this.fail(`its constants would have more than ${MOST_ELEMENTS} elements`);
  }

  ints(list: readonly number[]): string {
    if (!list.every(Number.isSafeInteger)) this.fail(`a list would be [${list.join(', ')}]`);
    return this.constant(tensor('int64', [list.length], BigInt64Array.from(list, BigInt)));
  }

  typeOf(name: string): ElementType {
    const type = this.inference.of(name)?.type;
    return type ?? this.fail(`the element type of '${name}' cannot be inferred`);
  }

  shapeOf(name: string): readonly Size[] | undefined {
    return this.inference.of(name)?.shape;
  }

  rankOf(name: string): number {
    return this.shapeOf(name)?.length ?? this.fail(`the rank of '${name}' cannot be inferred`);
  }

  /** The value of an initialiser or constant that is not being trained. */
  constantOf(name: string): Tensor | undefined {
    return this.#trained.has(name) ? undefined : this.inference.constantOf(name);
  }

  /** The value of a small integer tensor (axes, sizes, pads), also where it was computed from static shapes. */
  intsOf(name: string): readonly number[] | undefined {
    const elements = this.inference.of(name)?.elements;
    return isStatic(elements) ? elements : undefined;
  }

  shapeTensor(name: string): string {
    const shape = this.shapeOf(name);
    return isStatic(shape) ? this.ints(shape) : this.emit('Shape', [name]);
  }

  zeros(like: string): string {
    const shape = this.shapeOf(like);
    const type = this.typeOf(like);
    if (isStatic(shape) && elementCount(shape) <= 64) return this.constant(filled(type, shape, 0));
    return this.emit('ConstantOfShape', [this.shapeTensor(like)], { value: filled(type, [1], 0) });
  }

  unbroadcast(gradient: string, target: string): string {
    const from = this.shapeOf(gradient);
    const to = this.shapeOf(target);
    if (from === undefined || to === undefined) return this.#unbroadcastAtRun(gradient, target);
    const leading = from.length - to.length;
    const axes: number[] = [];
    for (const [axis, size] of from.entries()) {
      const wanted = axis < leading ? 1 : to[axis - leading]!;
      if (size === wanted && axis >= leading) continue;
      // A number above 1 was never broadcast; two different symbols may have been.
      if (typeof wanted === 'number' && wanted !== 1) continue;
      if (typeof wanted === 'string') return this.#unbroadcastAtRun(gradient, target);
      axes.push(axis);
    }
    if (axes.length === 0) return gradient;
    const onlyLeading = axes.every((axis) => axis < leading);
    const summed = this.reduceSum(gradient, axes, !onlyLeading);
    return onlyLeading || leading === 0 ? summed : this.reshapeLike(summed, target);
  }

  /** Compares the shapes while the graph runs. */
  #unbroadcastAtRun(gradient: string, target: string): string {
    if (this.opset < 13) {
      this.fail(
        `the shapes that are broadcast cannot be inferred; export the model with opset 13 or newer`,
      );
    }
    const shape = this.emit('Shape', [target]);
    const missing = this.rankOf(gradient) - this.rankOf(target);
    const padded =
      missing === 0
        ? shape
        : this.concat([this.ints(Array.from({ length: missing }, () => 1)), shape], 0);
    const same = this.emit('Equal', [this.emit('Shape', [gradient]), padded]);
    const differing = this.emit('NonZero', [this.emit('Not', [same])]);
    const axes = this.emit('Squeeze', [differing, this.ints([0])]);
    const summed = this.emit('ReduceSum', [gradient, axes], {
      keepdims: 1,
      noop_with_empty_axes: 1,
    });
    return this.emit('Reshape', [summed, shape]);
  }

  concat(values: readonly string[], axis: number): string {
    return values.length === 1 ? values[0]! : this.emit('Concat', values, { axis });
  }

  reshape(value: string, sizes: readonly number[]): string {
    return this.emit('Reshape', [value, this.ints(sizes)]);
  }

  reshapeLike(value: string, like: string): string {
    const shape = this.shapeOf(like);
    const from = this.shapeOf(value);
    if (shape !== undefined && isSame(from, shape)) return value;
    const open = shape?.filter((size) => typeof size !== 'number').length;
    // One unknown size follows from the others, unless an axis is empty.
    if (shape !== undefined && open === 1 && !shape.includes(0)) {
      const sizes = shape.map((size) => (typeof size === 'number' ? size : -1));
      return this.#reshaped(value, sizes, shape);
    }
    return this.emit('Reshape', [value, this.shapeTensor(like)]);
  }

  /** Reshape to a list with -1; declares the symbol in its place to inference. */
  #reshaped(value: string, sizes: readonly number[], shape: readonly Size[]): string {
    const result = this.reshape(value, sizes);
    this.inference.addKnown(result, { type: this.typeOf(value), shape });
    return result;
  }

  expandLike(value: string, like: string): string {
    const shape = this.shapeOf(like);
    if (shape !== undefined && isSame(this.shapeOf(value), shape)) return value;
    const result = this.emit('Expand', [value, this.shapeTensor(like)]);
    if (shape !== undefined) {
      this.inference.addKnown(result, { type: this.typeOf(value), shape });
    }
    return result;
  }

  reduceSum(value: string, axes: readonly number[], keepDims: boolean): string {
    return this.#reduce('ReduceSum', 13, value, axes, keepDims);
  }

  reduceMean(value: string, axes: readonly number[], keepDims: boolean): string {
    return this.#reduce('ReduceMean', 18, value, axes, keepDims);
  }

  reduceMax(value: string, axes: readonly number[], keepDims: boolean): string {
    return this.#reduce('ReduceMax', 18, value, axes, keepDims);
  }

  #reduce(
    opType: string,
    asInputSince: number,
    value: string,
    axes: readonly number[],
    keepDims: boolean,
  ): string {
    if (axes.length === 0) return value;
    const keepdims = keepDims ? 1 : 0;
    return this.opset >= asInputSince
      ? this.emit(opType, [value, this.ints(axes)], { keepdims })
      : this.emit(opType, [value], { axes: this.#counted(value, axes), keepdims });
  }

  squeeze(value: string, axes: readonly number[]): string {
    if (axes.length === 0) return value;
    return this.opset >= 13
      ? this.emit('Squeeze', [value, this.ints(axes)])
      : this.emit('Squeeze', [value], { axes: this.#counted(value, axes) });
  }

  unsqueeze(value: string, axes: readonly number[]): string {
    if (axes.length === 0) return value;
    return this.opset >= 13
      ? this.emit('Unsqueeze', [value, this.ints(axes)])
      : this.emit('Unsqueeze', [value], { axes: this.#counted(value, axes, axes.length) });
  }

  /** Axes from the front: before opset 11 they could not be negative. */
  #counted(value: string, axes: readonly number[], added = 0): readonly number[] {
    if (axes.every((axis) => axis >= 0)) return axes;
    const rank = this.rankOf(value) + added;
    return axes.map((axis) => (axis < 0 ? axis + rank : axis));
  }

  fail(reason: string): never {
    throw unsupportedModel(`${this.subject} cannot be differentiated: ${reason}.`);
  }

  /** The output of an equal node, when one exists already. */
  #simplified(
    opType: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
  ): string | undefined {
    const [a = '', b = ''] = inputs;
    switch (opType) {
      case 'Identity':
        return a;
      case 'Cast':
        return attributes['to'] === elementTypeNumber(this.typeOf(a)) ? a : undefined;
      case 'Mul':
        if (this.#isScalar(b, 1)) return a;
        return this.#isScalar(a, 1) ? b : undefined;
      case 'Div':
        return this.#isScalar(b, 1) ? a : undefined;
      case 'Transpose':
        return (attributes['perm'] as readonly number[]).every((axis, i) => axis === i)
          ? a
          : undefined;
      default:
        return undefined;
    }
  }

  #isScalar(name: string, wanted: number): boolean {
    const value = this.constantOf(name);
    if (value === undefined || value.shape.length > 0) return false;
    return (value.type === 'float32' || value.type === 'float64') && values(value)[0] === wanted;
  }

  /** A name that no other value of the graph has. */
  unique(opType: string): string {
    for (;;) {
      const name = `${this.#prefix}/${opType}_${this.#count++}`;
      if (this.#taken.has(name)) continue;
      this.#taken.add(name);
      return name;
    }
  }
}

function isSame(a: readonly Size[] | undefined, b: readonly Size[]): boolean {
  return a?.length === b.length && a.every((size, axis) => size === b[axis]);
}
