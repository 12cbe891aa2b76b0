/** The codec thread: reads large requests and writes large answers, one at a time. */
import { parentPort } from 'node:worker_threads';
import type { InferenceAnswer } from '@skein/serving';
import { pack, unpack, type WireTensors } from '@skein/serving/tensor-transfer';
import { toWireError, type WireError } from '@skein/serving/wire-error';
import { decodeGrpcRequest, type GrpcRequest } from './grpc/request.ts';
import { encodeAnswer, type EncodedAnswer } from './http/answer.ts';
import { decodeInferRequest, type BinaryChoice, type DecodedRequest } from './http/request.ts';
export type CodecJob =
  | {
      readonly kind: 'http';
      readonly body: Uint8Array;
      readonly jsonLength: number | undefined;
    }
  | {
      readonly kind: 'grpc';
      readonly message: Uint8Array;
      readonly maxTensorBytes: number | undefined;
    }
  | {
      readonly kind: 'answer';
      readonly model: string;
      readonly id: string | undefined;
      readonly outputs: readonly string[] | undefined;
      readonly choice: BinaryChoice;
      readonly answer: Omit<InferenceAnswer, 'outputs'>;
      readonly tensors: WireTensors;
    };

/** A request whose tensors are packed for the transfer. */
export type Packed<Request extends { readonly inputs: unknown }> = Omit<Request, 'inputs'> & {
  readonly inputs: WireTensors;
};

export type CodecResult =
  | { readonly request: Packed<DecodedRequest> | Packed<GrpcRequest> }
  | EncodedAnswer;

export type CodecReply =
  | CodecResult
  | { readonly refused: WireError }
  | { readonly failed: string };

interface PackedReply {
  readonly reply: CodecReply;
  readonly transfer: ArrayBuffer[];
}

function work(job: CodecJob): PackedReply {
  if (job.kind === 'answer') return write(job);
  const request =
    job.kind === 'http'
      ? decodeInferRequest(bufferOf(job.body), job.jsonLength)
      : decodeGrpcRequest(job.message, job.maxTensorBytes);
  const { tensors, transfer } = pack(request.inputs, false);
  return { reply: { request: { ...request, inputs: tensors } }, transfer };
}

function write(job: CodecJob & { readonly kind: 'answer' }): PackedReply {
  const answer = { ...job.answer, outputs: unpack(job.tensors) };
  const encoded = encodeAnswer(job.model, job.id, job.outputs, job.choice, answer);
  const json = Buffer.from(encoded.json);
  const transfer = new Set([json, ...(encoded.binary ?? [])].map(({ buffer }) => buffer));
  return { reply: { ...encoded, json }, transfer: [...transfer] as ArrayBuffer[] };
}

parentPort!.on('message', (job: CodecJob) => {
  const { reply, transfer } = attempt(job);
  parentPort!.postMessage(reply, transfer);
});

function attempt(job: CodecJob): PackedReply {
  try {
    return work(job);
  } catch (error) {
    const refused = toWireError(error);
    if (refused !== undefined) return { reply: { refused }, transfer: [] };
    const failed = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { reply: { failed }, transfer: [] };
  }
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
