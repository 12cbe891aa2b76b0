/**
 * Reads requests and writes answers where it costs the others least: small ones at once, large ones
 * in a thread beside. 32 MiB of JSON numbers take 200 ms to read and 800 ms to write, during which
 * nobody else would be answered.
 *
 * One thread for all, started by the first large payload and kept: large payloads wait for each
 * other, not the small ones for them. Tensors are transferred in both directions.
 */
import { Worker } from 'node:worker_threads';
import { elementCount, type Tensor } from '@skein/onnx';
import type { InferenceAnswer } from '@skein/serving';
import { pack, unpackInTurns } from '@skein/serving/tensor-transfer';
import { fromWireError } from '@skein/serving/wire-error';
import { workerEnvironment } from '@skein/state/worker-environment';
import type { CodecJob, CodecReply, CodecResult } from './codec-worker.ts';
import { decodeGrpcRequest, isQuickToRead, type GrpcRequest } from './grpc-request.ts';
import { encodeAnswer, type EncodedAnswer } from './infer-answer.ts';
import { openEnvelope, type Envelope } from './infer-envelope.ts';
import { decodeOpened, type BinaryChoice, type DecodedRequest } from './infer-request.ts';

/** Bytes of JSON that are read at once: a few milliseconds. */
const SMALL_BYTES = 1 << 20;
/** Messages over gRPC that are read at once, whatever is in them. */
const SMALL_MESSAGE_BYTES = 1 << 16;
/** Numbers that are written as JSON at once: about ten milliseconds. */
const SMALL_NUMBERS = 1 << 16;
/** Strings that are read at once: a few milliseconds. */
const SMALL_STRINGS = 1 << 14;
/** An integer of 64 bits takes as long to write as so many other numbers. */
const WIDE_NUMBERS = 4;
/** Bytes of text that take as long to write as one number. */
const BYTES_PER_NUMBER = 32;

const WORKER_ENTRY = new URL('./codec-worker.ts', import.meta.url);

export class PayloadCodec {
  #worker: Worker | undefined;
  /** Who waits for the worker, in the order of the jobs. */
  readonly #waiting: PromiseWithResolvers<CodecResult>[] = [];

  /** As `decodeInferRequest`, which throws the same; the body belongs to the codec from here on. */
  decodeHttp(
    body: Buffer,
    jsonLength: number | undefined,
  ): DecodedRequest | Promise<DecodedRequest> {
    // Binary tensors are views on the body, whatever their size; each string of one is a view.
    if ((jsonLength ?? body.length) <= SMALL_BYTES) {
      const opened = openEnvelope(body, jsonLength);
      if (hasFewStrings(opened.envelope)) return decodeOpened(opened, body, jsonLength);
    }
    const own = owned(body);
    return this.#decode<DecodedRequest>({ kind: 'http', body: own, jsonLength }, own);
  }

  /** As `decodeGrpcRequest`, which throws the same; the message belongs to the codec from here on. */
  decodeGrpc(message: Buffer, maxTensorBytes?: number): GrpcRequest | Promise<GrpcRequest> {
    if (message.length <= SMALL_MESSAGE_BYTES || isQuickToRead(message)) {
      return decodeGrpcRequest(message, maxTensorBytes);
    }
    const own = owned(message);
    return this.#decode<GrpcRequest>({ kind: 'grpc', message: own, maxTensorBytes }, own);
  }

  /** As `encodeAnswer`, which throws the same; the answer belongs to the codec from here on. */
  encodeHttp(
    model: string,
    id: string | undefined,
    outputs: readonly string[] | undefined,
    choice: BinaryChoice,
    answer: InferenceAnswer,
  ): EncodedAnswer | Promise<EncodedAnswer> {
    if (sizeAsJson(outputs, choice, answer) <= SMALL_NUMBERS) {
      return encodeAnswer(model, id, outputs, choice, answer);
    }
    return this.#encode(model, id, outputs, choice, answer);
  }

  async #decode<Request extends DecodedRequest | GrpcRequest>(
    job: CodecJob,
    { buffer }: Uint8Array,
  ): Promise<Request> {
    const result = await this.#hand(job, [buffer as ArrayBuffer]);
    if (!('request' in result)) throw new Error('The codec wrote an answer instead of a request.');
    const inputs = await unpackInTurns(result.request.inputs);
    return { ...result.request, inputs } as unknown as Request;
  }

  async #encode(
    model: string,
    id: string | undefined,
    outputs: readonly string[] | undefined,
    choice: BinaryChoice,
    answer: InferenceAnswer,
  ): Promise<EncodedAnswer> {
    const { outputs: all, ...rest } = answer;
    const { tensors, transfer } = pack(all, false);
    const job = { kind: 'answer', model, id, outputs, choice, answer: rest, tensors } as const;
    const result = await this.#hand(job, transfer);
    if (!('json' in result)) throw new Error('The codec read a request instead of an answer.');
    return result;
  }

  /** Ends the thread; what waits for it fails. */
  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #hand(job: CodecJob, transfer: readonly ArrayBuffer[]): Promise<CodecResult> {
    const waiting = Promise.withResolvers<CodecResult>();
    this.#waiting.push(waiting);
    this.#worker ??= this.#start();
    this.#worker.postMessage(job, transfer);
    return waiting.promise;
  }

  #start(): Worker {
    const worker = new Worker(WORKER_ENTRY, {
      name: 'skein-codec',
      execArgv: [],
      env: workerEnvironment(),
    });
    // It keeps no process alive; who waits for it does, by its connection.
    worker.unref();
    worker.on('message', (reply: CodecReply) => {
      const waiting = this.#waiting.shift()!;
      if ('refused' in reply) {
        waiting.reject(fromWireError(reply.refused));
      } else if ('failed' in reply) {
        waiting.reject(new Error(reply.failed));
      } else {
        waiting.resolve(reply);
      }
    });
    let failure: unknown = new Error('The codec thread has ended.');
    worker.on('error', (error) => (failure = error));
    worker.on('exit', () => {
      // Which of the payloads was too much for it is not known; all of them fail, and it starts anew.
      this.#worker = undefined;
      for (const waiting of this.#waiting.splice(0)) waiting.reject(failure);
    });
    return worker;
  }
}

/** What a transferred view may leave unused of its memory: the frame of a message. */
const FRAME_BYTES = 16;

/** The same bytes as a plain view on memory that nobody else uses, so that it can be transferred. */
function owned(bytes: Buffer): Uint8Array {
  const { buffer, byteOffset, byteLength } = bytes;
  const isWhole = byteLength + FRAME_BYTES >= buffer.byteLength;
  return isWhole ? new Uint8Array(buffer, byteOffset, byteLength) : new Uint8Array(bytes);
}

/** Whether the strings of a request are few. */
function hasFewStrings({ inputs }: Envelope): boolean {
  let strings = 0;
  for (const { type, shape } of inputs) if (type === 'string') strings += elementCount(shape);
  return strings <= SMALL_STRINGS;
}

/** Numbers that go out as JSON; text counts by its bytes. */
function sizeAsJson(
  outputs: readonly string[] | undefined,
  choice: BinaryChoice,
  answer: InferenceAnswer,
): number {
  let size = 0;
  for (const [name, tensor] of answer.outputs) {
    if (outputs !== undefined && !outputs.includes(name)) continue;
    if (choice.byOutput.get(name) ?? choice.byDefault) continue;
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
