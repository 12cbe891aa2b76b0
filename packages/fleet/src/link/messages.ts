/**
 * The messages of two nodes about a request. Time travels as what is left and what has
 * passed, never as a clock's: the clocks of two nodes differ. Unknown fields are ignored, so that
 * nodes of adjacent versions understand each other.
 */
import { type ErrorCode, SkeinError } from '@skein/api';
import { elementCount, elementSize } from '@skein/onnx';
import type { ElementType, Tensor, TensorMap } from '@skein/onnx';
import type { Cancellation, InferenceAnswer, InferenceRequest } from '@skein/serving';

export const PATHS = {
  probe: '/1/probe',
  infer: '/1/infer',
  change: '/1/change',
} as const;

/** A request without its tensors. */
export interface RequestMeta extends Pick<
  InferenceRequest,
  'id' | 'deployment' | 'version' | 'outputs' | 'priority' | 'tenant' | 'stickyKey'
> {
  readonly trace?: InferenceRequest['trace'];
  readonly takesChunks?: boolean | undefined;
  readonly protocol: InferenceRequest['protocol'];
  /** Milliseconds since the request reached the fleet, with those that it and its answer take on the link. */
  readonly elapsedMs: number;
  /** Milliseconds to the deadline that its caller gave, less those on the link; absent: it gave none. */
  readonly leftMs?: number | undefined;
}

export interface ProbeMeta extends RequestMeta {
  readonly shapes: readonly (readonly [
    name: string,
    type: ElementType,
    shape: readonly number[],
  ])[];
}

/** A change of a deployment, which a member that holds it carries out; its parameters are JSON. */
export interface ForwardedChange {
  readonly change: 'deploy' | 'changeSettings' | 'rollback';
  readonly parameters: readonly unknown[];
  /** The caller that asked for it, for the history. */
  readonly actor: string;
  /** Revision of the deployment that it changes, 0 for a new one; at another one it is refused. */
  readonly revision?: number | undefined;
}

export interface ChangeAnswer {
  readonly result?: unknown;
  readonly error?: ErrorMeta;
}

export interface ErrorMeta {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
}

export interface QuoteMeta {
  /** Milliseconds until the answer; absent: it would be refused. */
  readonly finishMs?: number | undefined;
  readonly refusal?: ErrorMeta | undefined;
  /** Whether the request would start its first replica there, also one that is refused. */
  readonly wakes?: boolean | undefined;
}

export interface AnswerMeta extends Partial<Pick<InferenceAnswer, 'version' | 'times' | 'cached'>> {
  readonly error?: ErrorMeta;
  /** Whether chunks follow. */
  readonly more?: boolean;
}

/** @param linkMs the way to the peer and back, in milliseconds: the answer is to be here in time. */
export function requestMeta(request: InferenceRequest, now: number, linkMs: number): RequestMeta {
  const { id, deployment, version, outputs, priority, tenant, stickyKey, trace } = request;
  const { takesChunks, protocol, arrivedAt, deadline } = request;
  return {
    id,
    deployment,
    version,
    outputs,
    priority,
    tenant,
    stickyKey,
    trace,
    takesChunks,
    protocol,
    elapsedMs: now - arrivedAt + linkMs,
    leftMs: deadline === undefined ? undefined : deadline - now - linkMs,
  };
}

export function probeMeta(request: InferenceRequest, now: number, linkMs: number): ProbeMeta {
  return { ...requestMeta(request, now, linkMs), shapes: shapesOf(request.inputs) };
}

/** The request as the receiving node has it, on its own clock. */
export function requestOf(
  { elapsedMs, leftMs, ...meta }: RequestMeta,
  inputs: TensorMap,
  now: number,
  cancellation?: Cancellation,
): InferenceRequest {
  return {
    ...meta,
    inputs,
    arrivedAt: now - elapsedMs,
    deadline: leftMs === undefined ? undefined : now + leftMs,
    cancellation,
  };
}

/** Tensors of these shapes whose bytes are not there: for predictions, which read none. */
export function shapesOnly(shapes: ProbeMeta['shapes']): Map<string, Tensor> {
  return new Map(
    shapes.map(([name, type, shape]) => {
      const count = elementCount(shape);
      const absent =
        type === 'string'
          ? { elements: { length: count } }
          : { bytes: { byteLength: count * elementSize(type) } };
      return [name, { type, shape, ...absent } as unknown as Tensor];
    }),
  );
}

export function shapesOf(inputs: TensorMap): ProbeMeta['shapes'] {
  return [...inputs].map(([name, { type, shape }]) => [name, type, shape]);
}

const isFiniteNumber = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value);
const isTextOrAbsent = (value: unknown): boolean =>
  value === undefined || typeof value === 'string';

/** Checks what a member sent as a request: a time that is no number would confuse a whole queue. @throws Error. */
export function assertRequest(meta: RequestMeta): void {
  const { id, deployment, version, outputs, priority, tenant, stickyKey } = meta;
  const { elapsedMs, leftMs } = meta;
  const isRequest =
    [id, deployment, tenant].every((text) => typeof text === 'string') &&
    [version, stickyKey].every(isTextOrAbsent) &&
    [priority, elapsedMs, leftMs ?? 0].every(isFiniteNumber) &&
    (outputs === undefined ||
      (Array.isArray(outputs) && outputs.every((name) => typeof name === 'string')));
  if (!isRequest) throw new Error('A member sent a request of the wrong form.');
}

/** A prediction as a member sent it. @returns undefined: it has another form, and is no answer. */
export function quoteOf({ finishMs, refusal, wakes }: QuoteMeta): QuoteMeta | undefined {
  if (finishMs !== undefined && !(isFiniteNumber(finishMs) && finishMs >= 0)) return undefined;
  const retryAfterMs = delayOf(refusal?.retryAfterMs);
  return { finishMs, refusal: refusal && { ...refusal, retryAfterMs }, wakes: wakes === true };
}

/** The times of an answer, which are added up in metrics; absent, or of another form: none. */
export function timesOf({ times }: AnswerMeta): InferenceAnswer['times'] {
  const { queueMs, inputMs, computeMs, outputMs, batchRows } =
    times ?? ({} as Partial<InferenceAnswer['times']>);
  const isKnown = [queueMs, inputMs ?? 0, computeMs, outputMs ?? 0, batchRows].every(
    isFiniteNumber,
  );
  return isKnown ? times! : { queueMs: 0, computeMs: 0, batchRows: 1 };
}

/** A text as a member sent it; JSON of another kind as it is written. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

function delayOf(retryAfterMs: unknown): number {
  return isFiniteNumber(retryAfterMs) && retryAfterMs >= 0 ? retryAfterMs : Infinity;
}

export function errorMeta({ code, message, retryAfterMs }: SkeinError): ErrorMeta {
  return { code, message, retryAfterMs };
}

/** An error of a newer node may have a code that this one does not know. */
export function errorOf({ code, message, retryAfterMs }: ErrorMeta): SkeinError {
  const known = SkeinError.accepts({ code }) ? code : 'INTERNAL';
  return new SkeinError(known, textOf(message), { retryAfterMs: delayOf(retryAfterMs) });
}
