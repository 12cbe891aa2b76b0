/**
 * Encodes `inference.ModelInferRequest` by hand, so that the bytes that every server is sent do not
 * come from the code under test. The field numbers are from the Open Inference Protocol's
 * grpc_service.proto: model_name 1, inputs 5 (name 1, datatype 2, shape 3), raw_input_contents 7.
 */
import { field, varint } from '../limits/grpc-wire.ts';

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
