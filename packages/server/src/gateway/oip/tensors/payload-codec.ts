/**
 * Decodes requests and encodes answers without blocking other requests: small ones at once, large
 * ones in other threads. 32 MiB of JSON numbers take 200 ms to decode and 800 ms to encode, during
 * which the event loop would answer no other request. Small payloads do not wait for large ones.
 * Tensors are transferred in both directions.
 */
import { elementCount, type Tensor } from '@skein/onnx';
import type { InferenceAnswer } from '@skein/serving';
import { pack, unpackInTurns, type WireTensors } from '@skein/serving/tensor-transfer';
import { CodecThreads } from './codec-threads.ts';
import { isQuickToRead } from '../grpc/quick-to-read.ts';
import { decodeGrpcRequest, type GrpcRequest } from '../grpc/request.ts';
import { encodeAnswer, type EncodedAnswer, isText } from '../http/answer.ts';
import { openEnvelope, type Envelope } from '../http/envelope.ts';
import {
  decodeInferRequest,
  decodeOpened,
  type BinaryChoice,
  type DecodedRequest,
} from '../http/request.ts';
import { encodeInParts } from './encode-in-parts.ts';

/**
 * JSON up to this many bytes is decoded at once: about a millisecond. At this size, another thread on two cores gives
 * 0.9 times the throughput with one connection, the same with four, and 1.2 times with sixteen (decision 27).
 */
const SMALL_BYTES = 1 << 19;
/** Messages over gRPC up to this size are decoded at once, whatever their content. */
const SMALL_MESSAGE_BYTES = 1 << 16;
/** Up to this many numbers are encoded as JSON at once: about ten milliseconds. */
const SMALL_NUMBERS = 1 << 16;
/** Up to this many strings are decoded at once: a few milliseconds. */
const SMALL_STRINGS = 1 << 14;
/** Other numbers that take as long to encode as one 64-bit integer. */
const WIDE_NUMBERS = 4;
/** Bytes of a request that take as long to decode as one number of an answer takes to encode. */
const BYTES_PER_WRITTEN = 32;
/** Bytes of text that take as long to encode as one number. */
const BYTES_PER_NUMBER = 32;

export class PayloadCodec {
  /** Absent: the node's own thread does everything. */
  readonly #threads: CodecThreads | undefined;

  /** @param threads for large payloads, at most; 0: they are decoded and encoded at once too. */
  constructor(threads = 1) {
    if (threads > 0) this.#threads = new CodecThreads(threads);
  }

  /** `decodeInferRequest` on a thread, with the same errors; the codec takes ownership of the body. */
  decodeHttp(
    body: Buffer,
    jsonLength: number | undefined,
  ): DecodedRequest | Promise<DecodedRequest> {
    const threads = this.#threads;
    if (threads === undefined) return decodeInferRequest(body, jsonLength);
    // Binary tensors are views on the body, whatever their size; each string of one is a view.
    if ((jsonLength ?? body.length) <= SMALL_BYTES) {
      const opened = openEnvelope(body, jsonLength);
      if (hasFewStrings(opened.envelope)) return decodeOpened(opened, body, jsonLength);
    }
    const own = owned(body);
    const job = { body: own, jsonLength };
    return unpacked(threads.with(own.length, (thread) => thread.call('http', job, moved(own))));
  }

  /** `decodeGrpcRequest` on a thread, with the same errors; the codec takes ownership of the message. */
  decodeGrpc(message: Buffer, maxTensorBytes?: number): GrpcRequest | Promise<GrpcRequest> {
    const isSmall = message.length <= SMALL_MESSAGE_BYTES || isQuickToRead(message);
    if (isSmall || this.#threads === undefined) {
      return decodeGrpcRequest(message, maxTensorBytes);
    }
    const own = owned(message);
    const job = { message: own, maxTensorBytes };
    return unpacked(
      this.#threads.with(own.length, (thread) => thread.call('grpc', job, moved(own))),
    );
  }

  /** `encodeAnswer` on a thread, with the same errors; the codec takes ownership of the answer. */
  encodeHttp(
    model: string,
    id: string | undefined,
    outputs: readonly string[] | undefined,
    choice: BinaryChoice,
    answer: InferenceAnswer,
  ): EncodedAnswer | Promise<EncodedAnswer> {
    const numbers = sizeAsJson(outputs, choice, answer);
    if (numbers <= SMALL_NUMBERS) {
      return encodeAnswer(model, id, outputs, choice, answer);
    }
    if (this.#threads === undefined) return encodeInParts(model, id, outputs, choice, answer);
    const { outputs: all, ...rest } = answer;
    const { tensors, transfer } = pack(all, false);
    const job = { model, id, outputs, choice, answer: rest, tensors };
    return this.#threads.with(numbers * BYTES_PER_WRITTEN, (thread) =>
      thread.call('answer', job, { transfer }),
    );
  }

  /** Ends the threads; jobs in progress fail. */
  async close(): Promise<void> {
    await this.#threads?.close();
  }
}

const moved = ({ buffer }: Uint8Array) => ({ transfer: [buffer as ArrayBuffer] });

async function unpacked<Request extends { readonly inputs: WireTensors }>(
  request: Promise<Request>,
): Promise<Omit<Request, 'inputs'> & { readonly inputs: Map<string, Tensor> }> {
  const read = await request;
  return { ...read, inputs: await unpackInTurns(read.inputs) };
}

/** Largest unused part of a transferred buffer: the frame of a message. */
const FRAME_BYTES = 16;

/** The same bytes as a plain view on memory with no other user, so that it can be transferred. */
function owned(bytes: Buffer): Uint8Array {
  const { buffer, byteOffset, byteLength } = bytes;
  const isWhole = byteLength + FRAME_BYTES >= buffer.byteLength;
  return isWhole ? new Uint8Array(buffer, byteOffset, byteLength) : new Uint8Array(bytes);
}

/** Whether a request has few strings. */
function hasFewStrings({ inputs }: Envelope): boolean {
  let strings = 0;
  for (const { type, shape } of inputs) if (type === 'string') strings += elementCount(shape);
  return strings <= SMALL_STRINGS;
}

/** Numbers to encode as JSON; text counts by its bytes. */
function sizeAsJson(
  outputs: readonly string[] | undefined,
  choice: BinaryChoice,
  answer: InferenceAnswer,
): number {
  let size = 0;
  for (const [name, tensor] of answer.outputs) {
    if (outputs !== undefined && !outputs.includes(name)) continue;
    if (!isText(name, choice)) continue;
    size += sizeOf(tensor);
  }
  return size;
}

function sizeOf(tensor: Tensor): number {
  if (tensor.type === 'int64' || tensor.type === 'uint64') {
    return WIDE_NUMBERS * elementCount(tensor.shape);
  }
  if (tensor.type !== 'string') return elementCount(tensor.shape);
  let size = tensor.elements.length;
  for (const element of tensor.elements) size += element.length / BYTES_PER_NUMBER;
  return size;
}
