/**
 * Encodes `inference.ModelInferRequest` by hand, so that the bytes that every server is sent do not
 * come from the code under test. Field numbers are those of the Open Inference Protocol's
 * grpc_service.proto: model_name 1, inputs 5 (name 1, datatype 2, shape 3), raw_input_contents 7.
 */
const LENGTH_DELIMITED = 2;

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

function field(number: number, content: Uint8Array): Buffer {
  return Buffer.concat([varint((number << 3) | LENGTH_DELIMITED), varint(content.length), content]);
}

/** @param raw the tensor's elements, little-endian and row-major. */
export function inferRequestMessage(
  model: string,
  input: string,
  shape: readonly number[],
  raw: Uint8Array,
): Buffer {
  const tensor = Buffer.concat([
    field(1, Buffer.from(input)),
    field(2, Buffer.from('FP32')),
    field(3, Buffer.concat(shape.map(varint))),
  ]);
  return Buffer.concat([field(1, Buffer.from(model)), field(5, tensor), field(7, raw)]);
}
