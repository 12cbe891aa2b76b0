/** Writes `ModelInferResponse` in its wire format; tensors go out raw and are copied once. */
import { datatypeOf } from '@skein/api';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { InferenceAnswer } from '../serving/contract.ts';
import { bytesOfTensor } from './tensor-bytes.ts';

const BYTES = WireType.LengthDelimited;

/** @param outputs the names that were asked for, in their order; all when absent. */
export function encodeGrpcAnswer(
  model: string,
  id: string,
  outputs: readonly string[] | undefined,
  answer: InferenceAnswer,
): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, BYTES).string(model).tag(2, BYTES).string(answer.version);
  if (id !== '') writer.tag(3, BYTES).string(id);
  const raw: Uint8Array[] = [];
  for (const name of outputs ?? answer.outputs.keys()) {
    const tensor = answer.outputs.get(name);
    if (tensor === undefined) throw new Error(`The answer lacks output "${name}".`);
    writer.tag(5, BYTES).fork();
    writer.tag(1, BYTES).string(name).tag(2, BYTES).string(datatypeOf(tensor.type));
    writer.tag(3, BYTES).fork();
    for (const size of tensor.shape) writer.int64(size);
    writer.join().join();
    raw.push(bytesOfTensor(tensor));
  }
  for (const bytes of raw) writer.tag(6, BYTES).bytes(bytes);
  return writer.finish();
}

/** `ModelStreamInferResponse`: an answer, or the message of an error. */
export function encodeStreamAnswer(answer: Uint8Array): Uint8Array {
  return new BinaryWriter().tag(2, BYTES).bytes(answer).finish();
}

export function encodeStreamError(message: string): Uint8Array {
  return new BinaryWriter().tag(1, BYTES).string(message).finish();
}
