/**
 * One span per inference, with its stages as children:
 *
 *   infer risk              from arrival to the last chunk of the answer, or to the refusal
 *   ├─ queue                waiting for a replica and a batch
 *   └─ batch                the run that this request was part of, hand-over included
 *      └─ compute           the run itself
 *
 * The span wraps `Inference`, so that a call of a composition, which has the trace of its request,
 * becomes a child. Names and counts are recorded, payloads never.
 */
import {
  createTraceState,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Span,
  type Tracer,
} from '@opentelemetry/api';
import { SkeinError } from '@skein/api';
import type { TensorMap } from '@skein/onnx';
import type { Inference, InferenceAnswer, InferenceRequest, TraceContext } from '@skein/serving';

export function traceInference(inference: Inference, tracer: Tracer): Inference {
  return {
    describe: (deployment, version) => inference.describe(deployment, version),
    list: () => inference.list(),
    isReady: (deployment, version) => inference.isReady(deployment, version),
    async infer(request) {
      const span = startSpan(tracer, request);
      // Not sampled: pass the caller's context on unchanged.
      if (!span.isRecording()) return inference.infer(request);
      const end = (error?: unknown): void => {
        if (error !== undefined) recordFailure(span, error);
        span.end(wall(performance.now()));
      };
      try {
        const answer = await inference.infer({ ...request, trace: contextOf(span) });
        recordStages(tracer, span, request, answer);
        if (answer.rest !== undefined) return { ...answer, rest: endedBy(answer.rest, end) };
        end();
        return answer;
      } catch (error) {
        end(error);
        throw error;
      }
    },
  };
}

/** The same chunks; `end` is called after the last one, or with the failure. */
function endedBy(
  chunks: AsyncIterable<TensorMap>,
  end: (error?: unknown) => void,
): AsyncIterableIterator<TensorMap> {
  const source = chunks[Symbol.asyncIterator]();
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      try {
        const step = await source.next();
        if (step.done === true) end();
        return step;
      } catch (error) {
        end(error);
        throw error;
      }
    },
    async return() {
      end();
      return (await source.return?.()) ?? { done: true, value: undefined };
    },
  };
}

function startSpan(tracer: Tracer, request: InferenceRequest): Span {
  return tracer.startSpan(
    `infer ${request.deployment}`,
    {
      kind: request.protocol === 'internal' ? SpanKind.INTERNAL : SpanKind.SERVER,
      startTime: wall(request.arrivedAt),
      attributes: {
        'skein.request.id': request.id,
        'skein.deployment': request.deployment,
        'skein.protocol': request.protocol,
        'skein.tenant': request.tenant,
      },
    },
    parentOf(request.trace),
  );
}

function recordStages(
  tracer: Tracer,
  span: Span,
  { arrivedAt }: InferenceRequest,
  { version, cached, times }: InferenceAnswer,
): void {
  span.setAttribute('skein.version', version);
  span.setAttribute('skein.cached', cached);
  if (cached) return;
  const within = trace.setSpan(ROOT_CONTEXT, span);
  const runAt = arrivedAt + times.queueMs;
  const ranAt = runAt + times.computeMs;
  tracer.startSpan('queue', { startTime: wall(arrivedAt) }, within).end(wall(runAt));
  const attributes = { 'skein.batch.rows': times.batchRows };
  const batch = tracer.startSpan('batch', { startTime: wall(runAt), attributes }, within);
  const compute = { startTime: wall(runAt) };
  tracer.startSpan('compute', compute, trace.setSpan(within, batch)).end(wall(ranAt));
  batch.end(wall(Math.max(ranAt, performance.now())));
}

export function recordFailure(span: Span, error: unknown): void {
  const known = error instanceof SkeinError ? error : undefined;
  span.setAttribute('error.type', known?.code ?? 'INTERNAL');
  // A caller's mistake is not an error of a server's span (OpenTelemetry's HTTP conventions).
  if (known?.row.kind !== 'user') span.setStatus({ code: SpanStatusCode.ERROR });
}

/** The faces admit only well-formed contexts. */
export function parentOf(incoming: TraceContext | undefined): Context {
  if (incoming === undefined) return ROOT_CONTEXT;
  const { traceparent, tracestate } = incoming;
  const [, traceId = '', spanId = '', flags = ''] = traceparent.split('-');
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16),
    isRemote: true,
    ...(tracestate === undefined ? {} : { traceState: createTraceState(tracestate) }),
  });
}

/** For what a span calls. */
export function contextOf(span: Span): TraceContext {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  const flags = traceFlags.toString(16).padStart(2, '0');
  const traceparent = `00-${traceId}-${spanId}-${flags}`;
  const tracestate = traceState?.serialize();
  return tracestate === undefined ? { traceparent } : { traceparent, tracestate };
}

/** Milliseconds since 1970 of a monotonic instant. */
export function wall(instant: number): number {
  return performance.timeOrigin + instant;
}
