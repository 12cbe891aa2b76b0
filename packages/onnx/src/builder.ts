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
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as Kind,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
  ValueInfoProtoSchema,
  type AttributeProto,
  type GraphProto,
  type TensorProto,
  type ValueInfoProto,
} from 'onnx-buf';
import { elementTypeNumber } from './element-type.ts';
import type { Model } from './model.ts';
import type { Dimension, ElementType, Tensor } from './tensor.ts';

/**
 * A node's attribute. A bare number is an integer: JavaScript cannot tell `1` from `1.0`, so a
 * floating-point attribute is written `float(1)`.
 */
export type Attribute =
  | number
  | readonly number[]
  | string
  | readonly string[]
  | Tensor
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | { readonly graph: GraphBuilder };

/** A floating-point attribute. */
export function float(value: number): { readonly float: number } {
  return { float: value };
}

/** A list of floating-point numbers as an attribute. */
export function floats(values: readonly number[]): { readonly floats: readonly number[] } {
  return { floats: values };
}

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
    this.#graph.input.push(valueInfo(name, type, shape));
    return name;
  }

  /** Declares what an earlier node made as an output; returns its name. */
  output(name: string, type: ElementType, shape: readonly Dimension[]): string {
    this.#graph.output.push(valueInfo(name, type, shape));
    return name;
  }

  /** Adds a constant; returns its name. The bytes are kept, not copied. */
  initializer(name: string, value: Tensor): string {
    this.#graph.initializer.push(tensorProto(name, value));
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
    this.#graph.node.push(
      create(NodeProtoSchema, {
        opType: operator,
        name,
        input: [...inputs],
        output: [...outputs],
        attribute: Object.entries(attributes).map(([key, value]) => attribute(key, value)),
        ...(domain === '' ? {} : { domain }),
      }),
    );
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

function valueInfo(name: string, type: ElementType, shape: readonly Dimension[]): ValueInfoProto {
  return create(ValueInfoProtoSchema, {
    name,
    type: {
      value: {
        case: 'tensorType',
        value: { elemType: elementTypeNumber(type), shape: { dim: shape.map(dimension) } },
      },
    },
  });
}

function dimension(size: Dimension) {
  if (size === null) return {};
  return typeof size === 'number'
    ? { value: { case: 'dimValue' as const, value: BigInt(size) } }
    : { value: { case: 'dimParam' as const, value: size } };
}

function tensorProto(name: string, value: Tensor): TensorProto {
  const proto: MessageInitShape<typeof TensorProtoSchema> = {
    name,
    dataType: elementTypeNumber(value.type),
    dims: value.shape.map(BigInt),
  };
  return value.type === 'string'
    ? create(TensorProtoSchema, { ...proto, stringData: value.elements.map(owned) })
    : create(TensorProtoSchema, { ...proto, rawData: owned(value.bytes) });
}

/** The protobuf types ask for bytes that are not shared between threads. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : bytes.slice();
}

function attribute(name: string, value: Attribute): AttributeProto {
  return create(AttributeProtoSchema, { name, ...attributeValue(name, value) });
}

function attributeValue(
  name: string,
  value: Attribute,
): MessageInitShape<typeof AttributeProtoSchema> {
  if (typeof value === 'number') return { type: Kind.INT, i: integer(name, value) };
  if (typeof value === 'string') return { type: Kind.STRING, s: new TextEncoder().encode(value) };
  if (isList(value)) {
    return value.length > 0 && typeof value[0] === 'string'
      ? { type: Kind.STRINGS, strings: value.map((text) => new TextEncoder().encode(String(text))) }
      : { type: Kind.INTS, ints: value.map((each) => integer(name, Number(each))) };
  }
  if ('float' in value) return { type: Kind.FLOAT, f: value.float };
  if ('floats' in value) return { type: Kind.FLOATS, floats: [...value.floats] };
  if ('graph' in value) return { type: Kind.GRAPH, g: value.graph.graph() };
  return { type: Kind.TENSOR, t: tensorProto('', value) };
}

function isList(value: Attribute): value is readonly number[] | readonly string[] {
  return Array.isArray(value);
}

function integer(name: string, value: number): bigint {
  if (!Number.isInteger(value)) {
    throw new TypeError(`Attribute '${name}' is ${value}; write float(${value}).`);
  }
  return BigInt(value);
}
