/** Converts Skein's values to the messages of onnx.proto, and back. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as Kind,
  NodeProtoSchema,
  TensorProtoSchema,
  TensorProto_DataLocation as Location,
  ValueInfoProtoSchema,
  type AttributeProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from 'onnx-buf';
import type { Attribute } from './attribute.ts';
import { invalidModel } from '../onnx-error.ts';
import { elementTypeNumber, elementTypeOf } from '../tensor/element-type.ts';
import {
  elementCount,
  elementSize,
  type Dimension,
  type ElementType,
  type Tensor,
} from '../tensor/tensor.ts';

export function nodeProto(
  opType: string,
  name: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>>,
  domain = '',
): NodeProto {
  return create(NodeProtoSchema, {
    opType,
    name,
    input: [...inputs],
    output: [...outputs],
    attribute: Object.entries(attributes).map(([key, value]) => attributeProto(key, value)),
    ...(domain === '' ? {} : { domain }),
  });
}

export function valueInfoProto(
  name: string,
  type: ElementType,
  shape: readonly Dimension[] | undefined,
): ValueInfoProto {
  return create(ValueInfoProtoSchema, {
    name,
    type: {
      value: {
        case: 'tensorType',
        value: {
          elemType: elementTypeNumber(type),
          ...(shape === undefined ? {} : { shape: { dim: shape.map(dimension) } }),
        },
      },
    },
  });
}

/** A sequence of tensors of any shape. */
export function sequenceInfoProto(name: string, type: ElementType): ValueInfoProto {
  const element = { case: 'tensorType' as const, value: { elemType: elementTypeNumber(type) } };
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: 'sequenceType', value: { elemType: { value: element } } } },
  });
}

function dimension(size: Dimension) {
  if (size === null) return {};
  return typeof size === 'number'
    ? { value: { case: 'dimValue' as const, value: BigInt(size) } }
    : { value: { case: 'dimParam' as const, value: size } };
}

/** Keeps the bytes, does not copy them. */
export function tensorProto(name: string, value: Tensor): TensorProto {
  const proto: MessageInitShape<typeof TensorProtoSchema> = {
    name,
    dataType: elementTypeNumber(value.type),
    dims: value.shape.map(BigInt),
  };
  return value.type === 'string'
    ? create(TensorProtoSchema, { ...proto, stringData: value.elements.map(owned) })
    : create(TensorProtoSchema, { ...proto, rawData: owned(value.bytes) });
}

/** Types with two elements in a byte. */
export type PackedType = 'int4' | 'uint4';

/** Keeps the bytes, does not copy them. */
export function packedTensorProto(
  name: string,
  type: PackedType,
  shape: readonly number[],
  bytes: Uint8Array,
): TensorProto {
  const expected = Math.ceil(elementCount(shape) / 2);
  if (bytes.byteLength !== expected) {
    throw new RangeError(
      `A ${type} tensor of shape [${shape.join(', ')}] takes ${expected} bytes, but ${bytes.byteLength} were given.`,
    );
  }
  return create(TensorProtoSchema, {
    name,
    dataType: elementTypeNumber(type),
    dims: shape.map(BigInt),
    rawData: owned(bytes),
  });
}

/** The protobuf types ask for bytes that are not shared between threads. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : bytes.slice();
}

function attributeProto(name: string, value: Attribute): AttributeProto {
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

/**
 * The tensor that a message stores; raw bytes are not copied. `undefined` for element types that
 * tensors here cannot have, and for data that lie in another file.
 * @throws OnnxError `invalid` when its data do not fit its shape.
 */
export function tensorOf(proto: TensorProto): Tensor | undefined {
  const type = elementTypeOf(proto.dataType);
  if (type === undefined || proto.dataLocation === Location.EXTERNAL) return undefined;
  const shape = proto.dims.map(Number);
  if (type === 'string') {
    requireCount(proto.name, shape, proto.stringData.length);
    return { type, shape, elements: proto.stringData };
  }
  const { buffer, byteOffset, byteLength } =
    proto.rawData.byteLength > 0 ? proto.rawData : typedData(proto, type);
  requireCount(proto.name, shape, byteLength / elementSize(type));
  return { type, shape, bytes: new Uint8Array(buffer, byteOffset, byteLength) };
}

function requireCount(name: string, shape: readonly number[], found: number): void {
  if (elementCount(shape) === found) return;
  throw invalidModel(
    `The tensor '${name}' holds ${found} elements, which do not fit its shape [${shape.slice(0, 20).join(', ')}].`,
  );
}

/** The elements in the field that onnx.proto assigns to the type. */
function typedData(proto: TensorProto, type: Exclude<ElementType, 'string'>) {
  switch (type) {
    case 'float32':
      return Float32Array.from(proto.floatData);
    case 'float64':
      return Float64Array.from(proto.doubleData);
    case 'int64':
      return BigInt64Array.from(proto.int64Data);
    case 'uint64':
      return BigUint64Array.from(proto.uint64Data);
    case 'uint32':
      return Uint32Array.from(proto.uint64Data, Number);
    case 'int32':
      return Int32Array.from(proto.int32Data);
    case 'int16':
      return Int16Array.from(proto.int32Data);
    case 'uint16':
    case 'float16':
    case 'bfloat16':
      return Uint16Array.from(proto.int32Data);
    case 'int8':
      return Int8Array.from(proto.int32Data);
    case 'uint8':
    case 'bool':
      return Uint8Array.from(proto.int32Data);
  }
}
