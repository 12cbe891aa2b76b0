/** Between Skein's tensors and ONNX Runtime's JavaScript tensors, shared by every backend. */
import { values, type ElementType, type Signature, type TensorSpec } from '@skein/onnx';
import type { InferenceSession, Tensor as OrtTensor, TensorConstructor } from 'onnxruntime-common';
import { eachString, packStrings, type WireTensor } from './wire.ts';

const decoder = new TextDecoder('utf-8', { fatal: true });
const encoder = new TextEncoder();

/** Element types that ONNX Runtime's JavaScript API carries. */
const CARRIED: ReadonlySet<string> = new Set<ElementType>([
  'float32',
  'float64',
  'float16',
  'int8',
  'int16',
  'int32',
  'int64',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'bool',
  'string',
]);

/** Wraps a tensor for `run()`; without a copy where the bytes are aligned. @throws when it does not fit. */
export function toOrt(name: string, wire: WireTensor, Tensor: TensorConstructor): OrtTensor {
  const dims = wire.shape as number[];
  if (wire.type === 'string') {
    const strings: string[] = [];
    eachString(wire, (element) => {
      try {
        strings.push(decoder.decode(element));
      } catch {
        throw new Error(
          `Element ${strings.length} of input '${name}' is not UTF-8, which ONNX strings must be.`,
        );
      }
    });
    return new Tensor('string', strings, dims);
  }
  if (wire.type === 'bfloat16') {
    throw new Error(
      `Input '${name}' is bfloat16, which ONNX Runtime's JavaScript API does not carry.`,
    );
  }
  return new Tensor(wire.type, values(wire) as never, dims);
}

/** Unwraps a result of `run()`; numeric data are not copied. */
export function fromOrt(tensor: OrtTensor): WireTensor {
  const type = tensor.type;
  if (type === 'string') {
    const elements = (tensor.data as string[]).map((text) => encoder.encode(text));
    return packStrings(tensor.dims, elements);
  }
  const { buffer, byteOffset, byteLength } = tensor.data as Uint8Array;
  return {
    type: type as never,
    shape: tensor.dims,
    bytes: new Uint8Array(buffer, byteOffset, byteLength),
  };
}

/** @throws when an input or output is something other than a tensor that can be carried. */
export function signatureFrom(session: InferenceSession): Signature {
  return {
    inputs: session.inputMetadata.map((each) => specFrom('Input', each)),
    outputs: session.outputMetadata.map((each) => specFrom('Output', each)),
  };
}

function specFrom(role: string, metadata: InferenceSession.ValueMetadata): TensorSpec {
  if (!metadata.isTensor) {
    throw new Error(`${role} '${metadata.name}' is not a tensor; only tensors can be served.`);
  }
  if (!CARRIED.has(metadata.type)) {
    throw new Error(
      `${role} '${metadata.name}' is ${metadata.type}, which ONNX Runtime's JavaScript API does not carry.`,
    );
  }
  return {
    name: metadata.name,
    type: metadata.type as ElementType,
    shape: metadata.shape.map((size) => (size === '' ? null : size)),
  };
}
