/** A codec thread: reads large requests and writes large answers, one at a time. */
import { serve } from '@skein/calls/serve';
import type { InferenceAnswer } from '@skein/serving';
import { pack, unpack, type WireTensors } from '@skein/serving/tensor-transfer';
import { decodeGrpcRequest } from '../grpc/request.ts';
import { type EncodedAnswer, piecesOf } from '../http/answer.ts';
import { decodeInferRequest, type BinaryChoice } from '../http/request.ts';
import { encodeInParts } from './encode-in-parts.ts';
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
      const result = encodeInParts(model, id, outputs, choice, whole);
      const transfer = new Set(piecesOf(result).map(({ buffer }) => buffer));
      return { result, transfer: [...transfer] as ArrayBuffer[] };
    });
  },
};
export type CodecCalls = typeof calls;
serve(calls);
