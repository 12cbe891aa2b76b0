/** A codec thread: reads large requests and writes large answers, one at a time. */
import { freePiece } from '@skein/api/owned-memory';
import { serve } from '@skein/calls/serve';
import type { InferenceAnswer } from '@skein/serving';
import { pack, unpack, type WireTensors } from '@skein/serving/tensor-transfer';
import { decodeGrpcRequest } from '../grpc/request.ts';
import { writeAnswer, type EncodedAnswer } from '../http/answer.ts';
import { decodeInferRequest, type BinaryChoice } from '../http/request.ts';
import { freeing } from './freeing.ts';

interface AnswerToWrite {
  readonly model: string;
  readonly id: string | undefined;
  readonly outputs: readonly string[] | undefined;
  readonly choice: BinaryChoice;
  readonly answer: Omit<InferenceAnswer, 'outputs'>;
  readonly tensors: WireTensors;
}

/** A request whose tensors are packed for the transfer. */
function packed<Request extends { readonly inputs: Parameters<typeof pack>[0] }>(request: Request) {
  const { tensors, transfer } = pack(request.inputs, false);
  return { result: { ...request, inputs: tensors }, transfer };
}

/** Characters that are encoded at once. */
const PART = 1 << 20;

/** The UTF-8 bytes of a text that is written in parts: as a string, it would take its memory once more. */
class TextBytes {
  readonly #parts: Buffer[] = [];
  #text = '';

  write(part: string): void {
    this.#text += part;
    if (this.#text.length >= PART) this.#encode();
  }

  end(): Buffer {
    this.#encode();
    const length = this.#parts.reduce((sum, part) => sum + part.length, 0);
    const whole = Buffer.allocUnsafeSlow(length);
    let at = 0;
    for (const part of this.#parts) {
      part.copy(whole, at);
      at += part.length;
      freePiece(part);
    }
    return whole;
  }

  #encode(): void {
    this.#parts.push(Buffer.from(this.#text));
    this.#text = '';
  }
}

const calls = {
  /** Answers once the thread has started. */
  ready() {},
  http({ body, jsonLength }: { body: Uint8Array; jsonLength: number | undefined }) {
    const { buffer, byteOffset, byteLength } = body;
    const bytes = Buffer.from(buffer, byteOffset, byteLength);
    return freeing([body], () => packed(decodeInferRequest(bytes, jsonLength)));
  },
  grpc({ message, maxTensorBytes }: { message: Uint8Array; maxTensorBytes: number | undefined }) {
    return freeing([message], () => packed(decodeGrpcRequest(message, maxTensorBytes)));
  },
  answer({ model, id, outputs, choice, answer, tensors }: AnswerToWrite): EncodedAnswer {
    const received = tensors.flatMap(([, tensor]) =>
      'lengths' in tensor ? [tensor.bytes, tensor.lengths] : [tensor.bytes],
    );
    return freeing(received, () => {
      const whole = { ...answer, outputs: unpack(tensors) };
      const text = new TextBytes();
      const write = (part: string): void => text.write(part);
      const binary = writeAnswer(write, model, id, outputs, choice, whole);
      const json = text.end();
      const transfer = new Set([json, ...(binary ?? [])].map(({ buffer }) => buffer));
      return { result: { json, binary }, transfer: [...transfer] as ArrayBuffer[] };
    });
  },
};
export type CodecCalls = typeof calls;
serve(calls);
