/**
 * A small typed way to write models: names in, names out.
 *
 * ```ts
 * const graph = new GraphBuilder('affine');
 * const x = graph.input('x', 'float32', ['batch', 2]);
 * const w = graph.initializer('w', tensor('float32', [2, 2], new Float32Array([1, 0, 0, 1])));
 * const [y] = graph.node('MatMul', [x, w]);
 * graph.output(y, 'float32', ['batch', 2]);
 * const bytes = writeModel(graph.model());
 * ```
 */
import { create } from '@bufbuild/protobuf';
import { GraphProtoSchema, ModelProtoSchema, type GraphProto } from 'onnx-buf';
import type { Attribute } from './attribute.ts';
import type { Model } from './model.ts';
import {
  nodeProto,
  packedTensorProto,
  sequenceInfoProto,
  tensorProto,
  valueInfoProto,
  type PackedType,
} from './protos.ts';
import type { Dimension, ElementType, Tensor } from '../tensor/tensor.ts';

export interface NodeOptions {
  /** Names of the outputs, or how many to name; default 1. */
  readonly outputs?: number | readonly string[];
  readonly name?: string;
  /** Default: ai.onnx. */
  readonly domain?: string;
}

export interface ModelOptions {
  /** Operator set of ai.onnx; default 17, which every runtime since 2022 has. */
  readonly opset?: number;
  /** Default 8, the IR version of that operator set. */
  readonly irVersion?: number;
  /** Operator sets of further domains. */
  readonly domains?: Readonly<Record<string, number>>;
}

export class GraphBuilder {
  readonly #graph: GraphProto;
  #names = 0;

  constructor(name: string) {
    this.#graph = create(GraphProtoSchema, { name });
  }

  /** Declares an input; returns its name. */
  input(name: string, type: ElementType, shape: readonly Dimension[]): string {
    this.#graph.input.push(valueInfoProto(name, type, shape));
    return name;
  }

  /** Declares the output of an earlier node as an output of the graph; returns its name. */
  output(name: string, type: ElementType, shape: readonly Dimension[]): string {
    this.#graph.output.push(valueInfoProto(name, type, shape));
    return name;
  }

  /** Declares an output that is a sequence of tensors; returns its name. */
  sequenceOutput(name: string, type: ElementType): string {
    this.#graph.output.push(sequenceInfoProto(name, type));
    return name;
  }

  /** Adds a constant; returns its name. The bytes are kept, not copied. */
  initializer(name: string, value: Tensor): string {
    this.#graph.initializer.push(tensorProto(name, value));
    return name;
  }

  /**
   * Adds a constant of 4-bit integers, two per byte, the first in the low bits; returns its name.
   * The bytes are kept, not copied.
   */
  packedInitializer(
    name: string,
    type: PackedType,
    shape: readonly number[],
    bytes: Uint8Array,
  ): string {
    this.#graph.initializer.push(packedTensorProto(name, type, shape, bytes));
    return name;
  }

  /** Adds a node; returns the names of its outputs. An omitted optional input is `''`. */
  node(
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    options: NodeOptions = {},
  ): [string, ...string[]] {
    const position = this.#names++;
    const { outputs: wanted = 1, name = `${operator}_${position}`, domain = '' } = options;
    const outputs =
      typeof wanted === 'number'
        ? Array.from({ length: wanted }, (_, i) => (i === 0 ? name : `${name}_${i}`))
        : wanted;
    this.#graph.node.push(nodeProto(operator, name, inputs, outputs, attributes, domain));
    return outputs as [string, ...string[]];
  }

  /** The graph alone, as the body of an `If`, `Loop` or `Scan`. */
  graph(): GraphProto {
    return this.#graph;
  }

  model(options: ModelOptions = {}): Model {
    const { opset = 17, irVersion = 8, domains = {} } = options;
    return create(ModelProtoSchema, {
      irVersion: BigInt(irVersion),
      producerName: 'skein',
      graph: this.#graph,
      opsetImport: [
        { domain: '', version: BigInt(opset) },
        ...Object.entries(domains).map(([domain, version]) => ({
          domain,
          version: BigInt(version),
        })),
      ],
    });
  }
}
