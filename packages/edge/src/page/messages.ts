/** The messages between a page, its edge worker, and the workers of sessions: tensors and errors in forms that can be sent. */
import { SkeinError, type ErrorCode } from '@skein/api/errors';
import type { Signature, TensorMap } from '@skein/onnx';
import { RuntimeFailure, type RunTimes } from '@skein/runtime/contract';
import { fromWire, toWire, type WireTensor } from '@skein/runtime/wire';
import type { Edge, EdgeAnswer, EdgeInferOptions, EdgeServer } from '../hybrid/answers.ts';
import type { Bytes } from '../trust/source.ts';
import type { UpdateOutcome } from '../update/updater.ts';

export type SentTensors = readonly (readonly [name: string, tensor: WireTensor])[];

/** @param moved receives the buffers of the copies. The caller's tensors stay as they are, so that they can be sent again. */
export function copied(tensors: TensorMap, moved: ArrayBuffer[]): SentTensors {
  return [...tensors].map(([name, tensor]) => [
    name,
    toWire(tensor.type === 'string' ? tensor : { ...tensor, bytes: tensor.bytes.slice() }, moved),
  ]);
}

/** Tensors that the sender needs no more: their buffers are not copied. */
export function given(tensors: TensorMap, moved: ArrayBuffer[]): SentTensors {
  return [...tensors].map(([name, tensor]) => [name, toWire(tensor, moved)]);
}

export function received(tensors: SentTensors): TensorMap {
  return new Map(tensors.map(([name, tensor]) => [name, fromWire(tensor)]));
}

export interface SentError {
  readonly code?: ErrorCode;
  readonly kind?: RuntimeFailure['kind'];
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
}

export function sentError(error: unknown): SentError {
  const { message } = error as Error;
  if (error instanceof SkeinError) {
    return { code: error.code, message, retryAfterMs: error.retryAfterMs };
  }
  if (error instanceof RuntimeFailure) return { kind: error.kind, message };
  return { message };
}

export function receivedError({ code, kind, message, retryAfterMs }: SentError): Error {
  if (code !== undefined) {
    return new SkeinError(code, message, retryAfterMs === undefined ? {} : { retryAfterMs });
  }
  return kind === undefined ? new Error(message) : new RuntimeFailure(kind, message);
}

/** Page to edge worker; each has one answer with its number. */
export interface ToEdge {
  readonly id: number;
  readonly call:
    | { readonly name: 'open'; readonly options: OpenOptions }
    | {
        readonly name: 'infer';
        readonly inputs: SentTensors;
        readonly options: EdgeInferOptions;
      }
    | { readonly name: 'update' | 'close' };
}

export type PageBackend = 'webgpu' | 'wasm';

export interface OpenOptions {
  readonly model: string;
  readonly source: string;
  readonly pinnedRoot: Bytes;
  readonly server: EdgeServer | undefined;
  readonly threads: number;
  readonly backends: readonly PageBackend[] | undefined;
}

/** The state of the device; it comes with every answer. */
export type EdgeStatus = Pick<Edge, 'version' | 'failed' | 'runsOn'>;

export interface FromEdge {
  readonly id: number;
  readonly status: EdgeStatus;
  readonly result:
    | { readonly answer: Omit<EdgeAnswer, 'outputs'>; readonly outputs: SentTensors }
    | { readonly outcome: UpdateOutcome }
    | { readonly error: SentError }
    | undefined;
}

/** Edge worker to the worker of a session: `open` once, then one run at a time. */
export type ToSession =
  /** @param lock that the worker holds while it lives. */
  | { readonly type: 'prepare'; readonly lock: string; readonly threads: number }
  | { readonly type: 'open'; readonly model: Bytes }
  | {
      readonly type: 'run';
      readonly inputs: SentTensors;
      readonly outputs: readonly string[] | undefined;
    };

export type FromSession =
  | { readonly type: 'locked' }
  | { readonly type: 'opened'; readonly signature: Signature }
  | {
      readonly type: 'ran';
      readonly outputs: SentTensors;
      readonly times: RunTimes;
    }
  | { readonly type: 'failed'; readonly error: SentError };
