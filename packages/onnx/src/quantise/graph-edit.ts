/** A graph that is being rewritten: new nodes and constants under names that it does not use yet. */
import type { NodeProto, TensorProto } from 'onnx-buf';
import { namesOf } from '../gradient/gradient.ts';
import type { Attribute } from '../model/attribute.ts';
import { withGraph, type Model } from '../model/model.ts';
import { nodeProto, packedTensorProto, tensorProto, type PackedType } from '../model/protos.ts';
import { removeDeadNodes } from '../passes/dead-nodes.ts';
import type { Tensor } from '../tensor/tensor.ts';

export class GraphEdit {
  readonly #model: Model;
  readonly #nodes: NodeProto[] = [];
  readonly #initializers: TensorProto[] = [];
  readonly #taken: Set<string>;

  constructor(model: Model) {
    this.#model = model;
    this.#taken = new Set([...namesOf(model.graph!), ...model.graph!.node.map(({ name }) => name)]);
  }

  /** A name like the wanted one that no value and no node has. */
  unused(wanted: string): string {
    let name = wanted;
    for (let i = 2; this.#taken.has(name); i++) name = `${wanted}_${i}`;
    this.#taken.add(name);
    return name;
  }

  constant(name: string, value: Tensor): string {
    const own = this.unused(name);
    this.#initializers.push(tensorProto(own, value));
    return own;
  }

  packedConstant(
    name: string,
    type: PackedType,
    shape: readonly number[],
    bytes: Uint8Array,
  ): string {
    const own = this.unused(name);
    this.#initializers.push(packedTensorProto(own, type, shape, bytes));
    return own;
  }

  /** Adds a node; returns the names of its outputs. Its own name is its first output's. */
  nodes(
    operator: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): readonly string[] {
    const own = outputs.map((name) => this.unused(name));
    this.#nodes.push(nodeProto(operator, own[0]!, inputs, own, attributes));
    return own;
  }

  /** Adds a node with one output; returns its name. */
  node(
    operator: string,
    inputs: readonly string[],
    output: string,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    return this.nodes(operator, inputs, [output], attributes)[0]!;
  }

  /** Adds a node in place of one of the graph, whose name and output it takes over. */
  replace(node: NodeProto, operator: string, inputs: readonly string[]): void {
    this.#nodes.push(nodeProto(operator, node.name, inputs, [node.output[0]!], {}));
  }

  /** Adds a node whose outputs keep the names of the graph. */
  keep(node: NodeProto): void {
    this.#nodes.push(node);
  }

  /** The rewritten model, without weights that no node reads any more. */
  done(): Model {
    const { initializer, input } = this.#model.graph!;
    const edited = removeDeadNodes(
      withGraph(this.#model, {
        node: this.#nodes,
        initializer: [...initializer, ...this.#initializers],
      }),
    );
    // Files before IR version 4 list weights as inputs too; a caller would have to give them.
    const kept = new Set(edited.graph!.initializer.map(({ name }) => name));
    const removed = new Set(initializer.map(({ name }) => name).filter((name) => !kept.has(name)));
    return withGraph(edited, { input: input.filter(({ name }) => !removed.has(name)) });
  }
}
