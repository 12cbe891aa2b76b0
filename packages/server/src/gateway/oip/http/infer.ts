/**
 * `POST /v2/models/{model}[/versions/{version}]/infer`: the hot path. It reads the body once,
 * decodes it into tensors once, calls the serving plane once and writes once.
 *
 * Callers without the right, and unknown models, are rejected before the body is read.
 */
import { SkeinError } from '@skein/api';
import {
  Cancellation,
  type DeployedModel,
  type InferenceAnswer,
  type Instant,
  type StageTimes,
} from '@skein/serving/contract';
import { freeLarge } from '@skein/api/owned-memory';
import type { BudgetHold } from '@skein/api/shared-budget';
import { type Exchange, readBody, SAFE_HEADERS } from '@skein/http';
import type { Caller } from '../../../access/contract.ts';
import { deadlineFrom, timeoutFromHeader, traceFrom } from '../../request-headers.ts';
import { type EncodedAnswer, mostText, piecesOf } from './answer.ts';
import { namesShown, showFor } from '../shown-answer.ts';
import { readShared } from '../shared-memory/shared-tensors.ts';
import { addInputs, checkOutputs, memoryOf } from '../tensors/owned-tensors.ts';
import { bytesHeld, bytesMade } from '../tensors/tensor-bytes.ts';
import { decodeRawRequest } from './raw-request.ts';
import { reportRefusal } from '../../rules.ts';
import { brief } from '../../brief.ts';
import type { HttpOptions } from '../options.ts';

/** Above this size, binary outputs are written separately instead of being copied behind the JSON. */
const COPY_BYTES = 16 * 1024;
/** Alignment of binary data, so that a client can use it without a copy. */
const ALIGNMENT = 8;
const SPACES = Array.from({ length: ALIGNMENT }, (_, count) => ' '.repeat(count));

/** @param reachedAt when the headers had arrived. @throws SkeinError for every refusal and failure. */
export async function inferOverHttp(
  exchange: Exchange,
  model: string,
  version: string | undefined,
  reachedAt: Instant,
  options: HttpOptions,
): Promise<void> {
  const { inference, access, limits, codec, regions } = options;
  const { request, response } = exchange;
  const { headers } = request;
  /** Counts the request. */
  let hold: BudgetHold | undefined;
  let release = (): void => hold?.release();
  /** Counts the answer. */
  let unread: BudgetHold | undefined;
  const cancellation = new Cancellation();
  let isOpen = true;
  let onClose: (() => void) | undefined;
  response.once('close', () => {
    if (!response.writableFinished) cancellation.cancel();
    isOpen = false;
    onClose?.();
  });
  let deployed: DeployedModel | undefined;
  let entered: Caller | undefined;
  let isHandedOn = false;
  try {
    const caller = access.authorize(headers.authorization, 'infer', exchange);
    deployed = inference.describe(model, version);
    const timeoutMs = timeoutFromHeader(text(headers['skein-timeout-ms']));
    access.enter(caller);
    entered = caller;
    hold = options.bodies.hold(caller.tenant);
    const body = await readBody(exchange, limits, hold);
    const arrivedAt = performance.now();
    const newHold = (): BudgetHold => options.bodies.hold(caller.tenant);
    const memory = memoryOf(body, newHold, release);
    if (memory !== undefined) release = memory.retain();
    // The codec may take the body away.
    const size = body.length;
    const jsonLength = jsonLengthFrom(text(headers['inference-header-content-length']), body);
    const decoded =
      jsonLength === 0
        ? decodeRawRequest(body, deployed, headers.accept)
        : await codec.decodeHttp(body, jsonLength);
    if (memory !== undefined) addInputs(memory, decoded.inputs);
    // Memory of tensors beyond the body: objects of strings, integers that were digits.
    hold.take(Math.max(0, bytesHeld(decoded.inputs) - size));
    if (decoded.shared !== undefined) {
      const take = (bytes: number): void => hold?.take(bytes);
      const { inputs, shared } = decoded;
      await readShared(shared, inputs, regions, caller.tenant, limits.maxBodyBytes, take);
    }
    const { id, outputs, binary, classes, classNames } = decoded;
    const show = showFor(
      caller.tenant,
      deployed,
      { classes, classNames, shared: binary.shared },
      options,
    );
    isHandedOn = true;
    const answer = await inference.infer({
      id: id ?? exchange.id,
      deployment: model,
      version,
      inputs: decoded.inputs,
      memory,
      outputs,
      arrivedAt,
      deadline: deadlineFrom(reachedAt, timeoutMs, decoded.timeoutMs),
      priority: decoded.priority,
      tenant: caller.tenant,
      stickyKey:
        deployed.stickyHeader === undefined ? undefined : text(headers[deployed.stickyHeader]),
      cancellation,
      trace: traceFrom(text(headers['traceparent']), text(headers['tracestate'])),
      takesChunks: false,
      protocol: 'http',
    });
    let made = bytesMade(answer.outputs);
    if (made > COPY_BYTES) {
      // Classes are short.
      if (show === undefined) made += mostText(outputs, binary, answer);
      checkOutputs(answer.outputs, made, hold, newHold);
      unread = newHold();
      unread.restore(made);
    }
    release();
    const shown = show === undefined ? answer : await show(answer);
    const names = namesShown(outputs, decoded, shown);
    const encoded = await codec.encodeHttp(model, id, names, binary, shown);
    const sent = sendAnswer(exchange, encoded, answer);
    if (isOpen && sent > COPY_BYTES) {
      // It takes memory until the client has read it.
      const held = (unread ??= newHold());
      held.release();
      held.restore(sent);
      onClose = () => {
        held.release();
        freeLarge(piecesOf(encoded));
      };
    }
  } catch (error) {
    if (!isHandedOn) reportRefusal(options.refused, model, deployed !== undefined, error);
    throw error;
  } finally {
    release();
    if (onClose === undefined) unread?.release();
    if (entered !== undefined) access.leave(entered);
  }
}

/** @returns its bytes. */
function sendAnswer(
  { response, id, headers }: Exchange,
  { json, binary }: EncodedAnswer,
  { times, cached }: InferenceAnswer,
): number {
  if (response.destroyed) return 0;
  const timing = serverTiming(times, cached);
  const length =
    typeof json === 'string'
      ? Buffer.byteLength(json)
      : json.reduce((sum, part) => sum + part.length, 0);
  // ASCII needs no conversion.
  const isAscii = typeof json === 'string' && json.length === length;
  if (binary === undefined) {
    response.writeHead(200, [
      'Content-Type',
      'application/json',
      'Content-Length',
      String(length),
      'X-Request-Id',
      id,
      'Server-Timing',
      timing,
      ...SAFE_HEADERS,
      ...headers,
    ]);
    if (typeof json === 'string') response.end(json, isAscii ? 'latin1' : 'utf8');
    else writeAll(response, json);
    return length;
  }
  const spaces = SPACES[(ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT]!;
  const headLength = length + spaces.length;
  let total = headLength;
  for (const bytes of binary) total += bytes.length;
  response.writeHead(200, [
    'Content-Type',
    'application/octet-stream',
    'Content-Length',
    String(total),
    'Inference-Header-Content-Length',
    String(headLength),
    'X-Request-Id',
    id,
    'Server-Timing',
    timing,
    ...SAFE_HEADERS,
    ...headers,
  ]);
  if (typeof json === 'string' && total <= COPY_BYTES) {
    // A string is written together with the headers, a buffer in a second write.
    let text = (isAscii ? json : latin1(Buffer.from(json))) + spaces;
    for (const bytes of binary) text += latin1(bytes);
    response.end(text, 'latin1');
    return total;
  }
  const texts = typeof json === 'string' ? [json] : json;
  writeAll(response, [...texts, ...(spaces === '' ? [] : [spaces]), ...binary]);
  return total;
}

function writeAll(response: Exchange['response'], parts: readonly (string | Uint8Array)[]): void {
  response.cork();
  for (const part of parts) response.write(part);
  response.end();
}

/** Converts bytes to a string with one character per byte. */
function latin1({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('latin1');
}

/** @returns bytes of JSON; 0 for a raw request; absent without the header. */
function jsonLengthFrom(header: string | undefined, body: Buffer): number | undefined {
  if (header === undefined) return undefined;
  const length = /^\d{1,15}$/.test(header) ? Number(header) : NaN;
  if (length <= body.length) return length;
  throw new SkeinError(
    'HEADER_LENGTH_INVALID',
    `Inference-Header-Content-Length is ${brief(header)}; the body has ${body.length} bytes.`,
  );
}

/** Formats milliseconds with microsecond precision for the Server-Timing header. */
function serverTiming({ queueMs, computeMs, batchRows }: StageTimes, cached: boolean): string {
  if (cached) return 'cache;desc=hit';
  return `queue;dur=${rounded(queueMs)}, compute;dur=${rounded(computeMs)}, batch;desc="${batchRows}"`;
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** The first value of a header that may appear several times. */
function text(value: string | string[] | undefined): string | undefined {
  return typeof value === 'object' ? value[0] : value;
}
