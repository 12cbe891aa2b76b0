/**
 * Answers the other members: predictions, and requests that they could not answer themselves. A
 * request that came from a member is answered or refused here, and never sent on.
 */
import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { IncomingHttpHeaders } from 'node:http';
import type { BudgetHold } from '@skein/api/shared-budget';
import { SkeinError } from '@skein/api';
import type { TensorMap } from '@skein/onnx';
import {
  Cancellation,
  type Clock,
  type InferenceAnswer,
  type InferenceRequest,
  type Prediction,
} from '@skein/serving';
import { encodeFrame, type Frame, FrameReader } from './frame.ts';
import {
  type AnswerMeta,
  assertRequest,
  type ChangeAnswer,
  errorMeta,
  type ForwardedChange,
  PATHS,
  type ProbeMeta,
  type QuoteMeta,
  type RequestMeta,
  requestOf,
  shapesOnly,
} from './messages.ts';

export interface LocalNode {
  infer(request: InferenceRequest): Promise<InferenceAnswer>;
  predict(request: InferenceRequest): Prediction;
}

export interface ServePeersOptions {
  readonly local: LocalNode;
  readonly clock: Clock;
  /** Largest message, in bytes. */
  readonly maxBytes: number;
  /** Counts the bytes of a request in flight. */
  readonly hold: (tenant: string) => BudgetHold;
  /** Carries out a change of a deployment; absent: it is refused. @throws SkeinError. */
  readonly change?: (change: ForwardedChange) => Promise<unknown>;
  /** Turns anything thrown into an error that a caller may see. */
  readonly toError: (thrown: unknown, id: string) => SkeinError;
}

/** Strings of a request: a million take 100 ms of one turn. A face takes no more from its caller. */
const MAX_STRINGS = 1 << 18;
/** The tenant of requests that have not arrived whole. */
const ARRIVING = 'other members';
/**
 * So many more messages without a meaning than with one end a connection. Each costs some 40 µs, and
 * thousands arrive in one turn of the event loop; a member without a fault sends none.
 */
const FAULTS = 100;

/** Serves one connection. @param headers of a stream name what it asks. */
export function servePeer(session: ServerHttp2Session, served: ServePeersOptions): void {
  let faults = 0;
  const options: Connection = {
    ...served,
    judge(isUnderstood) {
      faults = isUnderstood ? Math.max(0, faults - 1) : faults + 1;
      if (faults <= FAULTS || session.destroyed) return;
      session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      session.destroy();
    },
  };
  session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => {});
    if (session.destroyed) return;
    const path = headers[':path' as keyof IncomingHttpHeaders];
    if (path === PATHS.probe) receive<ProbeMeta>(stream, options, quote);
    else if (path === PATHS.infer) receive<RequestMeta>(stream, options, infer);
    else if (path === PATHS.change && options.change !== undefined) {
      receive<ForwardedChange>(stream, options, change);
    } else {
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      options.judge(false);
    }
  });
}

interface Connection extends ServePeersOptions {
  /** Counts a message; ends the connection when too many had no meaning. */
  readonly judge: (isUnderstood: boolean) => void;
}

type Handler<Meta> = (
  stream: ServerHttp2Stream,
  frame: Frame<Meta>,
  options: Connection,
) => Promise<void>;

function receive<Meta>(
  stream: ServerHttp2Stream,
  options: Connection,
  handle: Handler<Meta>,
): void {
  // The owner of a request is not known before it is whole.
  const arriving = options.hold(ARRIVING);
  const reader = new FrameReader<Meta>(options.maxBytes, arriving, MAX_STRINGS);
  stream.once('close', () => {
    reader.drop();
    arriving.release();
  });
  let isRead = false;
  const refuse = (error: unknown): void => {
    isRead = true;
    if (error instanceof SkeinError) return void answerError(stream, error);
    if (stream.closed) return;
    stream.close(constants.NGHTTP2_PROTOCOL_ERROR);
    options.judge(false);
  };
  stream.on('data', (chunk: Buffer) => {
    if (isRead) return;
    try {
      reader.add(chunk);
      const frame = reader.next();
      if (frame === undefined) return arriving.take(chunk.byteLength);
      isRead = true;
      arriving.release();
      handle(stream, frame, options).then(() => options.judge(true), refuse);
    } catch (error) {
      refuse(error);
    }
  });
}

/** Ends a stream whose bytes exceed the memory here; what still arrives is not read. */
async function answerError(stream: ServerHttp2Stream, error: SkeinError): Promise<void> {
  await send(stream, { error: errorMeta(error) });
  stream.end(() => stream.close());
}

async function quote(
  stream: ServerHttp2Stream,
  { meta }: Frame<ProbeMeta>,
  { local, clock }: ServePeersOptions,
): Promise<void> {
  assertRequest(meta);
  const { shapes, ...request } = meta;
  const asked = requestOf(request, shapesOnly(shapes), clock.now());
  const { finishMs, refusal, wakes } = local.predict(asked);
  const answer: QuoteMeta = { finishMs, refusal: refusal && errorMeta(refusal), wakes };
  stream.respond({ ':status': 200 });
  stream.end(encodeFrame(answer)[0]);
}

/** A model that loads takes minutes: the connection stays open meanwhile. */
async function change(
  stream: ServerHttp2Stream,
  { meta }: Frame<ForwardedChange>,
  { change: carryOut, toError }: ServePeersOptions,
): Promise<void> {
  let answer: ChangeAnswer;
  try {
    answer = { result: await carryOut!(meta) };
  } catch (error) {
    answer = { error: errorMeta(toError(error, meta.change)) };
  }
  if (stream.destroyed) return;
  stream.respond({ ':status': 200 });
  stream.end(encodeFrame(answer)[0]);
}

async function infer(
  stream: ServerHttp2Stream,
  { meta, tensors, heldBytes }: Frame<RequestMeta>,
  options: Connection,
): Promise<void> {
  const { local, clock, toError } = options;
  assertRequest(meta);
  const cancellation = new Cancellation();
  const request = requestOf(meta, tensors, clock.now(), cancellation);
  const hold = options.hold(meta.tenant);
  let isAnswered = false;
  stream.once('close', () => {
    if (!isAnswered) cancellation.cancel();
  });
  try {
    hold.take(heldBytes);
    const { version, times, cached, outputs, rest } = await local.infer(request);
    const more = rest !== undefined;
    if (rest === undefined) answerWhole(stream, { version, times, cached, more }, outputs);
    else {
      await send(stream, { version, times, cached, more }, outputs);
      for await (const chunk of rest) {
        if (stream.destroyed) break;
        await send(stream, { more: true }, chunk);
      }
      await send(stream, { more: false });
    }
  } catch (error) {
    await send(stream, { error: errorMeta(toError(error, meta.id)) });
  } finally {
    isAnswered = true;
    hold.release();
    if (!stream.destroyed && !stream.writableEnded) stream.end();
  }
}

/** Most answers are one frame: it leaves in one write, with the end of its stream. */
function answerWhole(stream: ServerHttp2Stream, meta: AnswerMeta, tensors: TensorMap): void {
  if (stream.destroyed) return;
  stream.respond({ ':status': 200 });
  stream.cork();
  for (const part of encodeFrame(meta, tensors)) stream.write(part);
  stream.end();
}

/** Resolves when the peer takes more. */
async function send(
  stream: ServerHttp2Stream,
  meta: AnswerMeta,
  tensors?: TensorMap,
): Promise<void> {
  if (stream.destroyed) return;
  if (!stream.headersSent) stream.respond({ ':status': 200 });
  let takesMore = true;
  for (const part of encodeFrame(meta, tensors)) takesMore = stream.write(part);
  if (takesMore) return;
  await new Promise<void>((resolve) => {
    stream.once('drain', resolve);
    stream.once('close', resolve);
  });
}
