import { LanguageSettings } from '@skein/api';
import {
  type Caller,
  type EmbedDeployed,
  type Gateway,
  openGateway,
  type Provider,
} from '@skein/generative';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { traceGateway } from './traced-gateway.ts';

const exporter = new InMemorySpanExporter();
const tracer = new BasicTracerProvider({
  spanProcessors: [new SimpleSpanProcessor(exporter)],
}).getTracer('test');

/** It fails with an error of its own where the request asks for it. */
const provider: Provider = {
  name: 'p',
  async *generate({ effort }) {
    if (effort === 'before') throw new Error('a secret of the provider');
    yield { type: 'text', text: 'a secret answer' };
    if (effort === 'after') throw new Error('a secret of the provider');
    yield { type: 'finish', reason: 'stop' };
    yield { type: 'usage', usage: { inputTokens: 7, outputTokens: 3 } };
  },
  embed: async ({ inputs }) => ({
    vectors: inputs.map(() => Float32Array.of(1)),
    usage: { inputTokens: 5, outputTokens: 0 },
  }),
  close: async () => {},
};

/** The context that a deployed encoder was given last. */
let encoded: Caller['trace'];
const embed: EmbedDeployed = (model) =>
  model === 'encoder'
    ? async (texts, { trace }) => {
        encoded = trace;
        return {
          vectors: texts.map(() => Float32Array.of(1)),
          usage: { inputTokens: 0, outputTokens: 0 },
        };
      }
    : undefined;

let gateway: Gateway;
beforeEach(async () => {
  const price = { input: 1, output: 2 };
  const route = { provider: 'p', model: 'm', price };
  const settings = LanguageSettings.parse({
    models: [{ name: 'chat', routes: [route], ttftMs: 60_000 }],
  });
  gateway = traceGateway(
    await openGateway({ settings, providers: [provider], embed }),
    tracer,
    (name) => (name === 'p' ? 'gcp.gemini' : 'skein'),
  );
  exporter.reset();
});
afterEach(() => gateway.close());

const caller = (): Caller => ({
  requestId: 'r1',
  tenant: 'ward',
  arrivedAt: performance.now() - 10,
  priority: 0,
  signal: new AbortController().signal,
});
const TRACE = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };
const request = (more: object = {}) => ({
  model: 'chat',
  messages: [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'a secret' }] }],
  stream: true,
  ...more,
});

async function ask(more: object = {}): Promise<void> {
  const { events } = await gateway.generate(request(more), caller());
  for await (const _ of events);
}

/** The only span, without a word of prompts, answers or providers. */
function span() {
  const [found, ...more] = exporter.getFinishedSpans();
  expect(more).toEqual([]);
  const { name, kind, status, attributes, events, duration } = found!;
  expect(JSON.stringify({ name, status, attributes, events })).not.toContain('secret');
  return { name, kind, status, attributes, duration, events: events.map((each) => each.name) };
}

it('records an answer from its request to its last token, in the words of OpenTelemetry', async () => {
  await ask({ maxTokens: 9, choices: 1, sampling: { temperature: 0.5, topP: 0.9, seed: 4 } });
  const { name, kind, attributes, events, duration, status } = span();
  expect({ name, kind, events, code: status.code }).toEqual({
    name: 'chat chat',
    kind: 2,
    events: ['gen_ai.first_token'],
    code: 0,
  });
  expect(attributes).toEqual({
    'gen_ai.operation.name': 'chat',
    'gen_ai.request.model': 'chat',
    'gen_ai.request.max_tokens': 9,
    'gen_ai.request.temperature': 0.5,
    'gen_ai.request.top_p': 0.9,
    'gen_ai.request.seed': 4,
    'gen_ai.request.choice.count': 1,
    'gen_ai.provider.name': 'gcp.gemini',
    'skein.backend': 'p',
    'gen_ai.response.finish_reasons': ['stop'],
    'gen_ai.usage.input_tokens': 7,
    'gen_ai.usage.output_tokens': 3,
    'skein.request.id': 'r1',
    'skein.tenant': 'ward',
    'skein.cost.usd': 0.000_013,
    'skein.cache': 'miss',
    'skein.attempts': 1,
  });
  // The request had arrived 10 ms before; times since the epoch have steps of a quarter of a microsecond.
  expect(duration[0] * 1e3 + duration[1] / 1e6).toBeGreaterThan(10 - 1e-3);
});

it.each([
  ['continued texts', { messages: [], prompt: 'a secret' }, 'text_completion chat'],
  ['messages', {}, 'chat chat'],
])('names the operation of %s', async (_, more, name) => {
  await ask(more);
  expect(span().name).toBe(name);
});

it.each([
  ['an answer', () => gateway.generate(request(), { ...caller(), trace: TRACE })],
  [
    'embeddings',
    () => gateway.embed({ model: 'chat', inputs: ['a'] }, { ...caller(), trace: TRACE }),
  ],
])('records %s in the trace of its caller', async (_, call) => {
  const answer = await call();
  if ('events' in answer) for await (const _event of answer.events);
  const [found] = exporter.getFinishedSpans();
  expect(found!.spanContext().traceId).toBe('0af7651916cd43dd8448eb211c80319c');
  expect(found!.parentSpanContext).toMatchObject({ spanId: 'b7ad6b7169203331', isRemote: true });
});

it('gives its context to a deployed encoder, whose run is a part of the request', async () => {
  await gateway.embed({ model: 'encoder', inputs: ['a'] }, { ...caller(), trace: TRACE });
  const { traceId, spanId } = exporter.getFinishedSpans()[0]!.spanContext();
  expect(encoded).toEqual({ traceparent: `00-${traceId}-${spanId}-01` });
});

it('records embeddings', async () => {
  await gateway.embed({ model: 'chat', inputs: ['a secret'] }, caller());
  const { name, attributes } = span();
  expect(name).toBe('embeddings chat');
  expect(attributes).toMatchObject({
    'gen_ai.operation.name': 'embeddings',
    'gen_ai.provider.name': 'gcp.gemini',
    'skein.backend': 'p',
    'gen_ai.usage.input_tokens': 5,
  });
});

it.each([
  ['before the first token', { effort: 'before' }, 'PROVIDER_FAILED', 2, []],
  ['in the middle', { effort: 'after' }, 'PROVIDER_FAILED', 2, ['gen_ai.first_token']],
  ['by a mistake of the caller', { model: 'none' }, 'MODEL_UNKNOWN', 0, []],
])('records a failure %s by its code', async (_, more, code, status, events) => {
  await expect(ask(more)).rejects.toMatchObject({ code });
  const found = span();
  expect(found.attributes).toMatchObject({
    'error.type': code,
    'gen_ai.provider.name': events.length === 0 ? 'skein' : 'gcp.gemini',
  });
  expect({ status: found.status.code, events: found.events }).toEqual({ status, events });
});

it('ends with a reader that leaves', async () => {
  const { events } = await gateway.generate(request(), caller());
  for await (const _ of events) break;
  expect(span().attributes).toMatchObject({ 'gen_ai.response.finish_reasons': [] });
});
