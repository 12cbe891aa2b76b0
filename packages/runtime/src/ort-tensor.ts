/**
 * Converts between Skein's tensors and ONNX Runtime's JavaScript tensors, for every backend.
 *
 * Inputs are plain objects of the shape that a backend reads (`type`, `dims`, `data`, `location`)
 * instead of `new Tensor()`: the constructor insists on `Float16Array` for float16, which the native
 * binding of 1.30 then reads as empty ("not enough space: expected 4, got 0"). It accepts the bits
 * in a `Uint16Array`, as does WebAssembly.
 */
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-common';
import type {
  Dimension,
  ElementType,
  NumericType,
  Signature,
  Tensor,
  TensorSpec,
} from '@skein/onnx';
import { ELEMENT_TYPES, values } from '@skein/onnx/tensor';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** The types at a model's border that ONNX Runtime's JavaScript API supports. */
const CARRIED: ReadonlySet<string> = new Set(ELEMENT_TYPES.filter((type) => type !== 'bfloat16'));

/** The part of ONNX Runtime's class that is read here. */
export type CarriedTensor = Pick<OrtTensor, 'type' | 'data' | 'dims'>;

/**
 * An input for `run()`; numeric bytes are copied only when they are not aligned.
 * @throws Error when an element is not a string that ONNX Runtime can hold, or the type is
 *   bfloat16.
 */
export function toOrt(name: string, tensor: Tensor): OrtTensor {
  if (tensor.type === 'bfloat16') {
    throw new Error(
      `Input '${name}' is bfloat16, which ONNX Runtime's JavaScript API cannot carry.`,
    );
  }
  const data =
    tensor.type === 'string'
      ? tensor.elements.map((bytes, i) => text(name, i, bytes))
      : values(tensor);
  return { type: tensor.type, dims: tensor.shape, data, location: 'cpu' } as unknown as OrtTensor;
}

/** A result of `run()`; numeric data are not copied. */
export function fromOrt(tensor: CarriedTensor): Tensor {
  if (tensor.type === 'string') {
    const strings = tensor.data as string[];
    return {
      type: 'string',
      shape: tensor.dims,
      elements: strings.map((each) => encoder.encode(each)),
    };
  }
  const { buffer, byteOffset, byteLength } = tensor.data as Uint8Array;
  return {
    type: tensor.type as NumericType,
    shape: tensor.dims,
    bytes: new Uint8Array(buffer, byteOffset, byteLength),
  };
}

/** @throws Error when an input or output is not a tensor, or its type cannot be carried. */
export function signatureFrom(
  session: Pick<InferenceSession, 'inputMetadata' | 'outputMetadata'>,
): Signature {
  return {
    inputs: session.inputMetadata.map((each) => specFrom('Input', each)),
    outputs: session.outputMetadata.map((each) => specFrom('Output', each)),
  };
}

function specFrom(role: string, metadata: InferenceSession.ValueMetadata): TensorSpec {
  const { name } = metadata;
  if (!metadata.isTensor) {
    throw new Error(`${role} '${name}' is not a tensor; only tensors can be served.`);
  }
  const { type, shape } = metadata;
  if (!CARRIED.has(type)) {
    throw new Error(
      `${role} '${name}' is ${type}, which ONNX Runtime's JavaScript API cannot carry.`,
    );
  }
  return {
    name,
    type: type as ElementType,
    shape: shape.map(dimension),
  };
}

function text(name: string, position: number, bytes: Uint8Array): string {
  // ONNX Runtime's C interface ends a string at the first NUL, and would drop the rest silently.
  if (bytes.includes(0)) {
    throw new Error(
      `Element ${position} of input '${name}' holds a NUL byte, which ONNX Runtime's strings cannot.`,
    );
  }
  try {
    return decoder.decode(bytes);
  } catch {
    throw new Error(
      `Element ${position} of input '${name}' is not UTF-8, as ONNX strings must be.`,
    );
  }
}

/** The native binding returns `''` for an unnamed size, WebAssembly −1 as an unsigned number. */
function dimension(size: number | string): Dimension {
  return size === '' || size === 2 ** 32 - 1 ? null : size;
}
