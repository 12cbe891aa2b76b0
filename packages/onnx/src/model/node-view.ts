/**
 * A view of a node whose attributes are read by name; the error for a missing one names the node.
 */
import type { AttributeProto, GraphProto, NodeProto } from 'onnx-buf';
import { invalidModel } from '../onnx-error.ts';
import { nearestNumber } from '../tensor/numbers.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { tensorOf } from './protos.ts';

export class NodeView {
  readonly proto: NodeProto;

  constructor(proto: NodeProto) {
    this.proto = proto;
  }

  get opType(): string {
    return this.proto.opType;
  }

  get name(): string {
    return this.proto.name;
  }

  get inputs(): readonly string[] {
    return this.proto.input;
  }

  get outputs(): readonly string[] {
    return this.proto.output;
  }

  /** Whether an optional input is given. */
  hasInput(index: number): boolean {
    return (this.inputs[index] ?? '') !== '';
  }

  /** For messages: `Node 'conv1' (Conv)`; nodes without a name go by their first output. */
  get title(): string {
    return titleOf(this.proto);
  }

  has(attribute: string): boolean {
    return this.#find(attribute) !== undefined;
  }

  /** A safe integer, see `nearestNumber`; `attributeInts` reads lists of them. */
  attributeInt(attribute: string, absent?: number): number {
    const found = this.#find(attribute);
    return found === undefined ? this.#absent(attribute, absent) : nearestNumber(found.i);
  }

  attributeInts(attribute: string, absent?: readonly number[]): readonly number[] {
    const found = this.#find(attribute);
    return found === undefined ? this.#absent(attribute, absent) : found.ints.map(nearestNumber);
  }

  attributeFloat(attribute: string, absent?: number): number {
    const found = this.#find(attribute);
    return found === undefined ? this.#absent(attribute, absent) : found.f;
  }

  attributeFloats(attribute: string, absent?: readonly number[]): readonly number[] {
    const found = this.#find(attribute);
    return found === undefined ? this.#absent(attribute, absent) : found.floats;
  }

  attributeString(attribute: string, absent?: string): string {
    const found = this.#find(attribute);
    return found === undefined
      ? this.#absent(attribute, absent)
      : new TextDecoder().decode(found.s);
  }

  attributeStrings(attribute: string, absent?: readonly string[]): readonly string[] {
    const found = this.#find(attribute);
    if (found === undefined) return this.#absent(attribute, absent);
    return found.strings.map((each) => new TextDecoder().decode(each));
  }

  attributeTensor(attribute: string): Tensor | undefined {
    const found = this.#find(attribute);
    return found?.t === undefined ? undefined : tensorOf(found.t);
  }

  fail(reason: string): never {
    throw invalidModel(`${this.title}: ${reason}`);
  }

  #find(name: string): AttributeProto | undefined {
    return this.proto.attribute.find((each) => each.name === name);
  }

  #absent<T>(attribute: string, absent: T | undefined): T {
    if (absent === undefined) this.fail(`the attribute '${attribute}' is missing.`);
    return absent;
  }
}

export function titleOf({ name, opType, output }: NodeProto): string {
  return name === '' ? `The ${opType} node of '${output[0] ?? ''}'` : `Node '${name}' (${opType})`;
}

/** Whether a node is that operator of the standard, not one of another domain with its name. */
export function isStandard({ domain, opType }: NodeProto, operator: string): boolean {
  return opType === operator && (domain === '' || domain === 'ai.onnx');
}

/** The graphs in a node's attributes: the branches of If, the bodies of Loop and Scan. */
export function subgraphsOf(node: NodeProto): readonly GraphProto[] {
  return node.attribute.flatMap(({ g, graphs }) => (g === undefined ? graphs : [g, ...graphs]));
}

/** Every name that a node reads, also names that its subgraphs read from the graphs around them. */
export function readsOf(node: NodeProto): readonly string[] {
  const subgraphs = subgraphsOf(node);
  if (subgraphs.length === 0) return node.input;
  return [...node.input, ...subgraphs.flatMap(capturedBy)];
}

/** A body may define a name after it has read that name from the graph around it. */
function capturedBy(graph: GraphProto): string[] {
  const own = new Set([
    ...graph.input.map(({ name }) => name),
    ...graph.initializer.map(({ name }) => name),
    ...graph.sparseInitializer.map(({ values }) => values?.name ?? ''),
  ]);
  const read: string[] = [];
  const note = (name: string) => {
    if (!own.has(name)) read.push(name);
  };
  for (const node of graph.node) {
    readsOf(node).forEach(note);
    for (const name of node.output) own.add(name);
  }
  for (const { name } of graph.output) note(name);
  return read;
}
