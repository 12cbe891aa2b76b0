/** Encodes `ModelInferResponse`; tensors are sent raw and copied once. */
import { datatypeOf } from '@skein/api';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { Tensor } from '@skein/onnx';
import type { InferenceAnswer } from '@skein/serving';
import { encodeElementsInTurns } from '../tensors/bytes-elements.ts';
import type { SharedSlice } from '../shared-memory/shared-memory.ts';
import type { SharedOutputs } from '../shared-memory/shared-tensors.ts';
import { MessagePieces } from '../../grpc/message-framer.ts';
import { bytesOfTensor } from '../tensors/tensor-bytes.ts';

const BYTES = WireType.LengthDelimited;

/** Size up to which an answer is assembled; larger ones are sent in pieces. */
const SMALL_BYTES = 64 * 1024;
const SMALL_STRINGS = 1024;

/** @param outputs the requested names in their order; all if absent. */
export function encodeGrpcAnswer(
  model: string,
  id: string,
  outputs: readonly string[] | undefined,
  answer: InferenceAnswer,
  shared?: SharedOutputs,
): Uint8Array | Promise<MessagePieces> {
  const writer = new BinaryWriter();
  writer.tag(1, BYTES).string(model).tag(2, BYTES).string(answer.version);
  if (id !== '') writer.tag(3, BYTES).string(id);
  const tensors: Tensor[] = [];
  for (const name of outputs ?? answer.outputs.keys()) {
    const tensor = answer.outputs.get(name);
    if (tensor === undefined) throw new Error(`The answer lacks output "${name}".`);
    writer.tag(5, BYTES).fork();
    writer.tag(1, BYTES).string(name).tag(2, BYTES).string(datatypeOf(tensor.type));
    writer.tag(3, BYTES).fork();
    for (const size of tensor.shape) writer.int64(size);
    writer.join();
    const slice = shared?.get(name);
    if (slice !== undefined) writeSlice(writer, slice);
    writer.join();
    // Contents are counted by their place: those in shared memory are empty.
    tensors.push(shared?.has(name) === true ? NO_CONTENT : tensor);
  }
  if (!areSmall(tensors)) return inPieces(writer, tensors);
  for (const tensor of tensors) writer.tag(6, BYTES).bytes(bytesOfTensor(tensor));
  return writer.finish();
}

const NO_CONTENT: Tensor = { type: 'uint8', shape: [0], bytes: new Uint8Array() };

/** Where the client finds an output that has been written to shared memory. */
function writeSlice(writer: BinaryWriter, { region, offset, byteSize }: SharedSlice): void {
  const entry = (key: string, value: (parameter: BinaryWriter) => void): void => {
    writer.tag(4, BYTES).fork().tag(1, BYTES).string(key).tag(2, BYTES).fork();
    value(writer);
    writer.join().join();
  };
  entry('shared_memory_region', (value) => value.tag(3, BYTES).string(region));
  entry('shared_memory_offset', (value) => value.tag(2, WireType.Varint).int64(offset));
  entry('shared_memory_byte_size', (value) => value.tag(2, WireType.Varint).int64(byteSize));
}

function areSmall(tensors: readonly Tensor[]): boolean {
  let bytes = 0;
  for (const tensor of tensors) {
    if (tensor.type !== 'string') {
      bytes += tensor.bytes.length;
    } else {
      if (tensor.elements.length > SMALL_STRINGS) return false;
      for (const element of tensor.elements) bytes += element.length;
    }
  }
  return bytes <= SMALL_BYTES;
}

async function inPieces(start: BinaryWriter, tensors: readonly Tensor[]): Promise<MessagePieces> {
  const pieces: Uint8Array[] = [];
  let writer = start;
  for (const tensor of tensors) {
    const content =
      tensor.type === 'string' ? await encodeElementsInTurns(tensor.elements) : [tensor.bytes];
    const length = content.reduce((sum, { length }) => sum + length, 0);
    pieces.push(writer.tag(6, BYTES).uint32(length).finish(), ...content);
    writer = new BinaryWriter();
  }
  return new MessagePieces(pieces);
}

/**
 * `ModelStreamInferResponse`: a chunk, or the message of an error.
 * @param isFinal whether it ends its answer; Triton's clients read that from a parameter.
 */
export function encodeStreamAnswer(
  chunk: Uint8Array | MessagePieces,
  isFinal: boolean,
): Uint8Array | MessagePieces {
  const flag = isFinal ? FINAL : NOT_FINAL;
  const writer = new BinaryWriter().tag(2, BYTES);
  if (isFinal && chunk instanceof Uint8Array) {
    return writer
      .uint32(chunk.length + flag.length)
      .raw(chunk)
      .raw(flag)
      .finish();
  }
  const { size, pieces } = chunk instanceof Uint8Array ? new MessagePieces([chunk]) : chunk;
  const head = writer.uint32(size + flag.length).finish();
  return new MessagePieces([head, ...pieces, flag], isFinal);
}

/** The field of `ModelInferResponse` for the parameter `triton_final_response`, which may follow the others. */
function finalFlag(value: boolean): Uint8Array {
  const entry = new BinaryWriter().tag(4, BYTES).fork();
  entry.tag(1, BYTES).string('triton_final_response');
  entry.tag(2, BYTES).fork().tag(1, WireType.Varint).bool(value).join();
  return entry.join().finish();
}

const FINAL = finalFlag(true);
const NOT_FINAL = finalFlag(false);

/** @param requestId by which Triton's clients know the request that failed; empty if it has none. */
export function encodeStreamError(message: string, requestId: string): Uint8Array {
  const writer = new BinaryWriter().tag(1, BYTES).string(message);
  writer.tag(2, BYTES).fork();
  if (requestId !== '') writer.tag(3, BYTES).string(requestId);
  return writer.join().finish();
}
