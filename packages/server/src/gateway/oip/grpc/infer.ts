/**
 * `ModelInfer` and `ModelStreamInfer`: decode, call the serving plane, encode.
 *
 * A stream's answers have the order of its requests. Several requests run at once, up to a bound;
 * above it the stream is not read, so that the client gets backpressure.
 */
import type { Metadata, ServerDuplexStream, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { SkeinError } from '@skein/api';
import { Cancellation, type Instant } from '@skein/serving/contract';
import { requestIdFrom, toSkeinError } from '@skein/http';
import type { Caller } from '../../../access/contract.ts';
import { deadlineFrom, timeoutFromHeader, traceFrom } from '../request-headers.ts';
import type { GrpcOptions } from './methods.ts';
import { encodeGrpcAnswer, encodeStreamAnswer, encodeStreamError } from './answer.ts';
import { admittedCall, callerOf, first } from '../../grpc/rules.ts';
import { sentenceOf, toGrpcError } from '../../grpc/status.ts';
import type { MessagePieces } from '../../grpc/message-framer.ts';
import { reportRefusal } from '../../rules.ts';
import { bytesHeld } from '../tensor-bytes.ts';

type InferStream = ServerDuplexStream<Buffer, Buffer | MessagePieces>;

/** Requests of one stream that run at once. */
const MAX_STREAMED = 64;

/** A call, the same for both kinds of method. */
interface CallContext {
  readonly metadata: Metadata;
  /** The deadline from `grpc-timeout`: of the whole call, so of a stream's last message as of its first. */
  readonly deadline: Instant | undefined;
}

export function modelInfer(options: GrpcOptions) {
  return (
    call: ServerUnaryCall<Buffer, Buffer | MessagePieces>,
    respond: sendUnaryData<Buffer | MessagePieces>,
  ): void => {
    const context = contextOf(call);
    const id = requestIdFrom(first(call.metadata, 'x-request-id'));
    const cancellation = new Cancellation();
    call.on('cancelled', () => cancellation.cancel());
    const known = (): Caller => callerOf(call.metadata);
    infer(call.request, id, context, known, cancellation, options).then(
      (bytes) => respond(null, bytes),
      (error: unknown) => respond(toGrpcError(error, id, options.logger)),
    );
  };
}

export function modelStreamInfer(options: GrpcOptions) {
  return (call: InferStream): void => {
    const { access, closing, logger } = options;
    /** Each message counts as a request of the key. */
    const authorize = (): Caller =>
      access.authorize(first(call.metadata, 'authorization'), 'infer', call);
    const context = contextOf(call);
    const id = requestIdFrom(first(call.metadata, 'x-request-id'));
    const running = new Set<Cancellation>();
    let tail = Promise.resolve();
    let waiting = 0;
    let ended = false;

    call.on('data', (message: Buffer) => {
      if (ended) return;
      const cancellation = new Cancellation();
      running.add(cancellation);
      if (++waiting === MAX_STREAMED) call.pause();
      const answer = infer(message, id, context, authorize, cancellation, options).then(
        encodeStreamAnswer,
        (error: unknown) => encodeStreamError(sentenceOf(toSkeinError(error, id, logger))),
      );
      tail = deliver(tail, answer, cancellation);
    });
    call.on('end', () => finish(() => call.end()));
    call.on('cancelled', () => {
      ended = true;
      for (const cancellation of running) cancellation.cancel();
    });
    const leave = (): void =>
      finish(() => {
        const error = new SkeinError('NODE_DRAINING', 'The node is shutting down.');
        call.emit('error', toGrpcError(error, id, logger));
      });
    closing.addEventListener('abort', leave, { once: true });
    call.on('close', () => closing.removeEventListener('abort', leave));
    if (closing.aborted) leave();

    async function deliver(
      previous: Promise<void>,
      answer: Promise<Uint8Array | MessagePieces>,
      cancellation: Cancellation,
    ): Promise<void> {
      await previous;
      const message = await answer;
      await write(call, message instanceof Uint8Array ? buffer(message) : message);
      running.delete(cancellation);
      if (waiting-- === MAX_STREAMED) call.resume();
    }
    /** Called once, after the last answer. */
    function finish(end: () => void): void {
      if (ended) return;
      ended = true;
      void tail.then(end);
    }
  };
}

async function infer(
  message: Buffer,
  callId: string,
  { metadata, deadline }: CallContext,
  authorize: () => Caller,
  cancellation: Cancellation,
  { inference, access, codec, limits, refused }: GrpcOptions,
): Promise<Buffer | MessagePieces> {
  let name = '';
  let isKnown = false;
  let isHandedOn = false;
  let entered: Caller | undefined;
  const admitted = admittedCall(metadata);
  const size = message.length;
  let extra = 0;
  // A request's own timeout counts from its arrival, not from the start of the stream.
  const arrivedAt = performance.now();
  try {
    const caller = authorize();
    access.enter(caller);
    entered = caller;
    const {
      model,
      version,
      id,
      inputs,
      outputs,
      timeoutMs: parameter,
      priority,
    } = await codec.decodeGrpc(message, limits.maxBodyBytes);
    // Memory of tensors beyond the message: objects of strings, integers that were varints.
    const beyond = Math.max(0, bytesHeld(inputs) - size);
    admitted.take(beyond);
    extra = beyond;
    name = model;
    const { stickyHeader } = inference.describe(model, version);
    isKnown = true;
    const patience = timeoutFromHeader(first(metadata, 'skein-timeout-ms'));
    isHandedOn = true;
    const answer = await inference.infer({
      id: id === '' ? callId : id,
      deployment: model,
      version,
      inputs,
      outputs,
      arrivedAt,
      deadline: earlier(deadline, deadlineFrom(arrivedAt, patience, parameter)),
      priority,
      tenant: caller.tenant,
      stickyKey: stickyHeader === undefined ? undefined : first(metadata, stickyHeader),
      cancellation,
      trace: traceFrom(first(metadata, 'traceparent'), first(metadata, 'tracestate')),
      protocol: 'grpc',
    });
    const encoded = encodeGrpcAnswer(model, id, outputs, answer);
    return encoded instanceof Uint8Array ? buffer(encoded) : await encoded;
  } catch (error) {
    if (!isHandedOn) reportRefusal(refused, name, isKnown, error);
    throw error;
  } finally {
    if (entered !== undefined) access.leave(entered);
    admitted.give(extra);
  }
}

function contextOf(
  call: Pick<ServerUnaryCall<Buffer, unknown>, 'metadata' | 'getDeadline'>,
): CallContext {
  const deadline = Number(call.getDeadline());
  return {
    metadata: call.metadata,
    deadline: Number.isFinite(deadline) ? performance.now() + deadline - Date.now() : undefined,
  };
}

/** Resolves when the stream accepts more data, or when it has ended. */
async function write(call: InferStream, message: Buffer | MessagePieces): Promise<void> {
  if (call.cancelled || call.destroyed || call.write(message)) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      for (const event of ['drain', 'cancelled', 'close']) call.off(event, done);
      resolve();
    };
    for (const event of ['drain', 'cancelled', 'close']) call.on(event, done);
  });
}

function earlier(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}

/** The library requires Buffers; this is a view. */
function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
