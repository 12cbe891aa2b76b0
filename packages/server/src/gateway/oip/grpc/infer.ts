/**
 * `ModelInfer` and `ModelStreamInfer`: decode, call the serving plane, encode.
 *
 * A stream's answers have the order of its requests. Several requests run at once, up to a bound;
 * above it the stream is not read, so that the client gets backpressure. An answer of many chunks
 * is fetched chunk by chunk, each after the client has taken the one before. It ends with an error
 * message, or a status that is not OK, unless it is complete.
 */
import type { Metadata, ServerDuplexStream, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { SkeinError } from '@skein/api';
import { LARGE_BYTES } from '@skein/api/owned-memory';
import type { TensorMap } from '@skein/onnx';
import { Cancellation, type InferenceAnswer, type Instant } from '@skein/serving/contract';
import { requestIdFrom, toSkeinError } from '@skein/http';
import type { Caller } from '../../../access/contract.ts';
import { deadlineFrom, timeoutFromHeader, traceFrom } from '../../request-headers.ts';
import { requestIdOf, type GrpcRequest } from './request.ts';
import { encodeGrpcAnswer, encodeStreamAnswer, encodeStreamError } from './answer.ts';
import { admittedCall, callerOf, first, type AdmittedCall } from '../../grpc/rules.ts';
import { sentenceOf, toGrpcError } from '../../grpc/status.ts';
import type { MessagePieces } from '../../grpc/message-framer.ts';
import { reportRefusal } from '../../rules.ts';
import { namesShown, showFor } from '../shown-answer.ts';
import { readShared } from '../shared-memory/shared-tensors.ts';
import { addInputs, checkOutputs, memoryOf } from '../tensors/owned-tensors.ts';
import { bytesHeld, bytesMade } from '../tensors/tensor-bytes.ts';
import type { GrpcOptions } from '../options.ts';

type Message = Buffer | MessagePieces;
type InferStream = ServerDuplexStream<Buffer, Message>;

/** Requests of one stream that run at once. */
const MAX_STREAMED = 64;

/** A call, the same for both kinds of method. */
interface CallContext {
  readonly metadata: Metadata;
  /** The deadline from `grpc-timeout`: of the whole call, so of a stream's last message as of its first. */
  readonly deadline: Instant | undefined;
  readonly takesChunks: boolean;
}

/** An answer as messages. */
interface Encoded {
  /** The id that the client gave, or empty. */
  readonly requestId: string;
  /** The first chunk; framed for a stream if the call is one. */
  readonly message: Message;
  /** The chunks that follow; must be read. Absent: the answer is complete. */
  readonly rest?: AsyncIterable<Message>;
}

export function modelInfer(options: GrpcOptions) {
  return (call: ServerUnaryCall<Buffer, Message>, respond: sendUnaryData<Message>): void => {
    const context = contextOf(call, false);
    const id = requestIdFrom(first(call.metadata, 'x-request-id'));
    const cancellation = new Cancellation();
    call.on('cancelled', () => cancellation.cancel());
    const known = (): Caller => callerOf(call.metadata);
    infer(call.request, id, context, known, cancellation, options).then(
      (answer) => respond(null, answer.message),
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
    const context = contextOf(call, true);
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
      const answer = infer(message, id, context, authorize, cancellation, options);
      // The turn of the answer may come much later, when the message has been freed.
      const requestId = answer.then(
        (encoded) => encoded.requestId,
        () => requestIdOf(message),
      );
      tail = deliver(tail, answer, requestId, cancellation);
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
      answer: Promise<Encoded>,
      requestId: Promise<string>,
      cancellation: Cancellation,
    ): Promise<void> {
      await previous;
      try {
        const { message, rest } = await answer;
        if (rest === undefined) {
          await write(call, message);
        } else {
          await taken(call, message);
          for await (const chunk of rest) await taken(call, chunk);
        }
      } catch (error) {
        const sentence = sentenceOf(toSkeinError(error, id, logger));
        await write(call, asMessage(encodeStreamError(sentence, await requestId)));
      }
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
  { metadata, deadline, takesChunks }: CallContext,
  authorize: () => Caller,
  cancellation: Cancellation,
  options: GrpcOptions,
): Promise<Encoded> {
  const { inference, access, codec, limits, refused } = options;
  let name = '';
  let isKnown = false;
  let isHandedOn = false;
  let isStreaming = false;
  let entered: Caller | undefined;
  const admitted = admittedCall(metadata);
  const size = message.length;
  // The call counts it, a stream until it has been answered.
  const onFree = takesChunks ? undefined : () => admitted.give(size);
  const memory = memoryOf(message, () => admitted.newHold(), onFree);
  const release = memory?.retain();
  let extra = 0;
  const leave = (): void => {
    release?.();
    if (entered !== undefined) access.leave(entered);
    admitted.give(extra);
  };
  // A request's own timeout counts from its arrival, not from the start of the stream.
  const arrivedAt = performance.now();
  try {
    const caller = authorize();
    access.enter(caller);
    entered = caller;
    const request = await codec.decodeGrpc(message, limits.maxBodyBytes);
    const { model, version, inputs, outputs } = request;
    // Memory of tensors beyond the message: objects of strings, integers that were varints.
    const beyond = Math.max(0, bytesHeld(inputs) - size);
    admitted.take(beyond);
    extra = beyond;
    if (request.shared !== undefined) {
      const take = (bytes: number): void => {
        admitted.take(bytes);
        extra += bytes;
      };
      const most = limits.maxBodyBytes;
      await readShared(request.shared, inputs, options.regions, caller.tenant, most, take);
    }
    if (memory !== undefined) addInputs(memory, inputs);
    name = model;
    const deployed = inference.describe(model, version);
    const { stickyHeader } = deployed;
    isKnown = true;
    const patience = timeoutFromHeader(first(metadata, 'skein-timeout-ms'));
    const { classes, classNames, sharedOutputs } = request;
    const show = showFor(
      caller.tenant,
      deployed,
      { classes, classNames, shared: sharedOutputs },
      options,
    );
    isHandedOn = true;
    const answer = await inference.infer({
      id: request.id === '' ? callId : request.id,
      deployment: model,
      version,
      inputs,
      memory,
      outputs,
      arrivedAt,
      deadline: earlier(deadline, deadlineFrom(arrivedAt, patience, request.timeoutMs)),
      priority: request.priority,
      tenant: caller.tenant,
      stickyKey: stickyHeader === undefined ? undefined : first(metadata, stickyHeader),
      cancellation,
      trace: traceFrom(first(metadata, 'traceparent'), first(metadata, 'tracestate')),
      takesChunks,
      protocol: 'grpc',
    });
    const { rest } = answer;
    const made = bytesMade(answer.outputs);
    if (made > LARGE_BYTES) {
      checkOutputs(answer.outputs, made, admitted, () => admitted.newHold());
    }
    if (rest === undefined) release?.();
    const shown = show === undefined ? answer : await show(answer);
    const names = namesShown(outputs, request, shown);
    const encoding = encodeGrpcAnswer(model, request.id, names, shown, sharedOutputs);
    const chunk = encoding instanceof Uint8Array ? encoding : await encoding;
    const framed = takesChunks ? encodeStreamAnswer(chunk, rest === undefined) : chunk;
    const encoded = { requestId: request.id, message: asMessage(framed) };
    if (rest === undefined) return encoded;
    isStreaming = true;
    return { ...encoded, rest: encodeRest(request, answer, rest, show, admitted, leave) };
  } catch (error) {
    // A stream that cannot be sent must not run on.
    cancellation.cancel();
    if (!isHandedOn) reportRefusal(refused, name, isKnown, error);
    throw error;
  } finally {
    if (!isStreaming) leave();
  }
}

/** @param ended called after the last chunk, or after a failure. */
async function* encodeRest(
  { model, id, outputs: names, classNames, emptyFinal, sharedOutputs }: GrpcRequest,
  answer: InferenceAnswer,
  rest: AsyncIterable<TensorMap>,
  show: ReturnType<typeof showFor>,
  admitted: AdmittedCall,
  ended: () => void,
): AsyncGenerator<Message> {
  const encode = async (outputs: TensorMap, asked: readonly string[] | undefined) => {
    const chunk = { ...answer, outputs };
    const shown = show === undefined ? chunk : await show(chunk);
    const encoded = namesShown(asked, { classNames }, shown);
    return encodeGrpcAnswer(model, id, encoded, shown, sharedOutputs);
  };
  try {
    for await (const outputs of rest) {
      yield asMessage(encodeStreamAnswer(await encode(outputs, names), false));
    }
    if (emptyFinal) yield asMessage(encodeStreamAnswer(await encode(new Map(), []), true));
    else admitted.answered();
  } finally {
    ended();
  }
}

function contextOf(
  call: Pick<ServerUnaryCall<Buffer, unknown>, 'metadata' | 'getDeadline'>,
  takesChunks: boolean,
): CallContext {
  const deadline = Number(call.getDeadline());
  return {
    metadata: call.metadata,
    deadline: Number.isFinite(deadline) ? performance.now() + deadline - Date.now() : undefined,
    takesChunks,
  };
}

/** Resolves when the stream accepts more data, or when it has ended. */
async function write(call: InferStream, message: Message): Promise<void> {
  if (call.cancelled || call.destroyed || call.write(message)) return;
  await orEnd(call, (done) => call.once('drain', done));
}

/** Resolves when the client has taken the message, or when the stream has ended. */
async function taken(call: InferStream, message: Message): Promise<void> {
  if (call.cancelled || call.destroyed) return;
  await orEnd(call, (done) => call.write(message, done));
}

async function orEnd(call: InferStream, wait: (done: () => void) => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = (): void => resolve();
  for (const event of ['cancelled', 'close']) call.once(event, done);
  wait(done);
  await promise;
  for (const event of ['drain', 'cancelled', 'close']) call.off(event, done);
}

function earlier(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}

/** The library requires Buffers; this is a view. */
function asMessage(bytes: Uint8Array | MessagePieces): Message {
  if (!(bytes instanceof Uint8Array)) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
