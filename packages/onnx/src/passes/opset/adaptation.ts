/** The contract of an adapter: a node in the form of one operator set becomes nodes of the next. */
import type { NodeProto } from 'onnx-buf';
import type { Inference } from '../../infer/inference.ts';
import type { Attribute } from '../../model/attribute.ts';
import { constantValue } from '../../model/constant.ts';
import { NodeView } from '../../model/node-view.ts';
import { nodeProto } from '../../model/protos.ts';
import { unsupportedModel } from '../../onnx-error.ts';
import { tensorOfNumbers } from '../../tensor/numbers.ts';
import { tensor, values, type NumericType, type Tensor } from '../../tensor/tensor.ts';
import { nodeWith, type FreshNames } from '../bodies.ts';

/** Calls `keep` once; nodes that it emits before run before that node. */
export type Adapter = (node: Adaptation) => void;

export interface Surroundings {
  /** Facts before the node, in the model's own operator set. */
  readonly facts: Inference;
  readonly names: FreshNames;
  /** Names that any node or output reads. */
  readonly reads: ReadonlySet<string>;
  /** The operator set that the model will have. */
  readonly target: number;
}

export interface Changes {
  readonly opType?: string;
  readonly inputs?: readonly string[];
  readonly outputs?: readonly string[];
  /** Attributes to remove. */
  readonly without?: readonly string[];
  /** Attributes to set. */
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

export class Adaptation extends NodeView {
  readonly written: NodeProto[] = [];
  readonly target: number;
  readonly #at: Surroundings;
  readonly #version: number;
  readonly #constants: Map<string, Tensor>;

  /** @param constants values of Constant nodes that earlier adaptations emitted. */
  constructor(proto: NodeProto, version: number, at: Surroundings, constants: Map<string, Tensor>) {
    super(proto);
    this.#at = at;
    this.#version = version;
    this.#constants = constants;
    this.target = at.target;
  }

  keep(changes: Changes = {}): void {
    const { opType = this.opType, inputs = this.inputs, outputs = this.outputs } = changes;
    const { without = [], attributes = {} } = changes;
    const replaced = new Set([...without, ...Object.keys(attributes)]);
    const added = nodeProto('', '', [], [], attributes).attribute;
    const attribute = [...this.proto.attribute.filter(({ name }) => !replaced.has(name)), ...added];
    this.written.push(
      nodeWith(this.proto, { opType, input: trimmed(inputs), output: trimmed(outputs), attribute }),
    );
  }

  /** Writes a node of one output, before the node that is kept; returns the output's name. */
  emit(
    opType: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    const name = this.#at.names.of(`${this.outputs[0] ?? ''}_${opType}`);
    this.written.push(nodeProto(opType, name, inputs, [name], attributes));
    return name;
  }

  ints(list: readonly number[]): string {
    return this.#constant(tensor('int64', [list.length], BigInt64Array.from(list, BigInt)));
  }

  floats(list: readonly number[]): string {
    return this.#constant(tensor('float32', [list.length], Float32Array.from(list)));
  }

  /** A number in the element type of an input. */
  scalarLike(index: number, value: number): string {
    const type = this.#at.facts.of(this.inputs[index] ?? '')?.type;
    if (type === undefined || type === 'string') {
      this.refuse(`the element type of its input ${index} cannot be inferred`);
    }
    return this.scalar(type, value);
  }

  scalar(type: NumericType, value: number): string {
    return this.#constant(tensorOfNumbers(type, [], [value]));
  }

  /** The number of axes of an input; `undefined` where it cannot be inferred. */
  rankOf(index: number): number | undefined {
    return this.#at.facts.of(this.inputs[index] ?? '')?.shape?.length;
  }

  /** The size of an axis of an input; `undefined` where it is not fixed. */
  sizeOf(index: number, axis: number): number | undefined {
    const size = this.#at.facts.of(this.inputs[index] ?? '')?.shape?.[axis];
    return typeof size === 'number' ? size : undefined;
  }

  /** The elements of an input that is constant. */
  numbersOf(index: number): readonly number[] | undefined {
    const name = this.inputs[index] ?? '';
    const value = this.#constants.get(name) ?? this.#at.facts.constantOf(name);
    if (value === undefined || value.type === 'string') return undefined;
    return Array.from<number | bigint, number>(values(value), Number);
  }

  isRead(output: number): boolean {
    const name = this.outputs[output] ?? '';
    return name !== '' && this.#at.reads.has(name);
  }

  refuse(reason: string): never {
    throw unsupportedModel(
      `${this.title} cannot be raised to opset ${this.#version} of ai.onnx: ${reason}.`,
    );
  }

  #constant(value: Tensor): string {
    const name = this.emit('Constant', [], { value });
    this.#constants.set(name, constantValue(this.written.at(-1)!)!);
    return name;
  }
}

/** Without omitted names at the end. */
function trimmed(names: readonly string[]): string[] {
  const last = names.findLastIndex((name) => name !== '');
  return names.slice(0, last + 1);
}
