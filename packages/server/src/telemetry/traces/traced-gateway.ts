/**
 * One span per request to a language model, by OpenTelemetry's semantic conventions for generative
 * AI (`gen_ai.*`), in the trace of its caller: from the request to the last token, with the first token
 * as an event. Prompts and answers are never recorded.
 */
import { type Span, SpanKind, type Tracer } from '@opentelemetry/api';
import type { Caller, Gateway, GenerateEvent, Generation, Receipt } from '@skein/generative';
import { contextOf, parentOf, recordFailure, wall } from './traced-inference.ts';

/** @param systemOf a provider by the operator's name, in OpenTelemetry's words. */
export type WrapGateway = (
  gateway: Gateway,
  systemOf: (provider: string | undefined) => string,
) => Gateway;

export function traceGateway(
  gateway: Gateway,
  tracer: Tracer,
  systemOf: Parameters<WrapGateway>[1],
): Gateway {
  function startSpan(operation: string, model: string, { arrivedAt, trace }: Caller): Span {
    return tracer.startSpan(
      `${operation} ${model}`,
      {
        kind: SpanKind.CLIENT,
        startTime: wall(arrivedAt),
        attributes: {
          'gen_ai.operation.name': operation,
          'gen_ai.request.model': model,
          // The system of a request that no provider answers.
          'gen_ai.provider.name': systemOf(undefined),
        },
      },
      parentOf(trace),
    );
  }
  function end(span: Span, receipt: Receipt | undefined, failure?: unknown): void {
    if (failure !== undefined) recordFailure(span, failure);
    if (receipt !== undefined) {
      const { provider, usage, costUsd, cache, attempts } = receipt;
      span.setAttributes({
        'gen_ai.provider.name': systemOf(provider),
        ...present('skein.backend', provider),
        'gen_ai.usage.input_tokens': usage.inputTokens,
        'gen_ai.usage.output_tokens': usage.outputTokens,
        'skein.cost.usd': costUsd,
        'skein.cache': cache,
        'skein.attempts': attempts,
      });
    }
    span.end(wall(performance.now()));
  }
  return {
    ...gateway,
    async generate(request, caller) {
      const operation = request.prompt === undefined ? 'chat' : 'text_completion';
      const span = startSpan(operation, request.model, caller);
      if (!span.isRecording()) return gateway.generate(request, caller);
      const { temperature, topP, seed } = request.sampling ?? {};
      span.setAttributes({
        'skein.request.id': caller.requestId,
        'skein.tenant': caller.tenant,
        ...present('gen_ai.request.max_tokens', request.maxTokens),
        ...present('gen_ai.request.temperature', temperature),
        ...present('gen_ai.request.top_p', topP),
        ...present('gen_ai.request.seed', seed),
        ...present('gen_ai.request.choice.count', request.choices),
      });
      try {
        const generation = await gateway.generate(request, { ...caller, trace: contextOf(span) });
        span.addEvent('gen_ai.first_token', undefined, wall(performance.now()));
        return { ...generation, events: endedBy(generation, span, end) };
      } catch (error) {
        end(span, undefined, error);
        throw error;
      }
    },
    async embed(request, caller) {
      const span = startSpan('embeddings', request.model, caller);
      if (!span.isRecording()) return gateway.embed(request, caller);
      try {
        const answer = await gateway.embed(request, { ...caller, trace: contextOf(span) });
        end(span, answer.receipt);
        return answer;
      } catch (error) {
        end(span, undefined, error);
        throw error;
      }
    },
  };
}

async function* endedBy(
  generation: Generation,
  span: Span,
  end: (span: Span, receipt: Receipt | undefined, failure: unknown) => void,
): AsyncGenerator<GenerateEvent> {
  const reasons: string[] = [];
  let failure: unknown;
  try {
    for await (const event of generation.events) {
      if (event.type === 'finish') reasons.push(event.reason);
      yield event;
    }
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    span.setAttribute('gen_ai.response.finish_reasons', reasons);
    end(span, generation.receipt(), failure);
  }
}

const present = (name: string, value: number | string | undefined) =>
  value === undefined ? {} : { [name]: value };
