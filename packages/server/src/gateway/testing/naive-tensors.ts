/** Random tensors, and the protocol's JSON from a naive encoder, to compare with the codec. */
import fc from 'fast-check';
import { datatypeOf } from '@skein/api';
import { values, type NumericType, type Tensor } from '@skein/onnx';
import { numeric, strings } from './random-tensors.ts';

/** Random bits of any type, but JSON keeps only one NaN. */
const written = numeric.map((tensor): Tensor => ({
  ...tensor,
  bytes: canonicalNaN(tensor.type, tensor.bytes),
}));
const texts = strings(fc.string({ unit: 'grapheme' }).map((text) => Buffer.from(text)));
/** Tensors by name, and whether a request or answer has them as binary. */
export const named = fc.dictionary(
  fc.string({ unit: 'grapheme' }),
  fc.tuple(fc.oneof(written, texts), fc.boolean(), fc.boolean()),
  { minKeys: 1, maxKeys: 4, noNullPrototype: true },
);

const FLOATS = { float16: Float16Array, float32: Float32Array, float64: Float64Array };

function canonicalNaN(type: NumericType, bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  if (type === 'bfloat16') {
    const bits = new Uint16Array(copy.buffer);
    bits.forEach((value, index) => {
      if ((value & 0x7fff) > 0x7f80) bits[index] = 0x7fc0;
    });
  } else if (type === 'float16' || type === 'float32' || type === 'float64') {
    const floats = new FLOATS[type](copy.buffer);
    for (const [index, value] of floats.entries()) if (Number.isNaN(value)) floats[index] = NaN;
  }
  return copy;
}

/** ES2026's raw JSON, for numbers that JSON.stringify would round. */
const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => unknown };

/** The JSON of a tensor from a naive client. */
function naiveData(tensor: Tensor): unknown[] {
  if (tensor.type === 'string')
    return tensor.elements.map((bytes) => Buffer.from(bytes).toString());
  const numbers: ArrayLike<number | bigint> =
    tensor.type === 'float16'
      ? new Float16Array(tensor.bytes.slice().buffer)
      : tensor.type === 'bfloat16'
        ? new Float32Array(
            Uint32Array.from(new Uint16Array(tensor.bytes.slice().buffer), (bits) => bits << 16)
              .buffer,
          )
        : values(tensor);
  return Array.from(numbers, (value) => {
    if (tensor.type === 'bool') return value === 1;
    if (typeof value === 'bigint') return rawJSON(String(value));
    if (Object.is(value, -0)) return rawJSON('-0');
    return Number.isFinite(value) ? value : String(value);
  });
}

/** Encodes a request as the protocol describes it, with some inputs binary. */
export function naiveRequest(
  inputs: Readonly<Record<string, readonly [Tensor, boolean, boolean]>>,
  extra: object = {},
): { body: Buffer; jsonLength: number } {
  const binary: Uint8Array[] = [];
  const json = Buffer.from(
    JSON.stringify({
      ...extra,
      inputs: Object.entries(inputs).map(([name, [tensor, isBinary]]) => {
        const head = { name, shape: tensor.shape, datatype: datatypeOf(tensor.type) };
        if (!isBinary) return { ...head, data: naiveData(tensor) };
        const bytes = naiveBytes(tensor);
        binary.push(bytes);
        return { ...head, parameters: { binary_data_size: bytes.length } };
      }),
    }),
  );
  return { body: Buffer.concat([json, ...binary]), jsonLength: json.length };
}

function naiveBytes(tensor: Tensor): Uint8Array {
  if (tensor.type !== 'string') return tensor.bytes;
  return Buffer.concat(
    tensor.elements.flatMap((element) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(element.length);
      return [length, element];
    }),
  );
}
