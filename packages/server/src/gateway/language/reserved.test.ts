/**
 * Random requests over each face, through a gateway with a budget, to an upstream that writes down
 * what it gets: the bytes of the caller and the tokens that are asked for are within what was reserved.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LanguageSettings } from '@skein/api';
import { openGateway } from '@skein/generative';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { post, send } from '../testing/http-face.ts';
import { startLanguageFaces } from './testing/scripted-gateway.ts';

/** The caller writes only this letter, which no codec adds. It has two bytes. */
const LETTER = 'ж';
/** Additions of chat templates are reserved too, and must not hide a missing reservation. */
const TEMPLATE = { always: 64, withTools: 512, frame: 16 };
/** The longest output of a request without a limit. */
const MAX_OUTPUT = 300;

const text = fc.integer({ min: 1, max: 400 }).map((size) => LETTER.repeat(size));
const json = fc.oneof(
  text,
  fc.dictionary(text, text, { maxKeys: 3 }),
  fc.array(text, { maxLength: 3 }),
  fc.constantFrom<unknown[]>(0, 1, 7, 99_999, true, null, 1e20),
);
/** Fields of upstreams, also outside those that an endpoint reads, and one that no upstream has. */
const NAMES =
  `n best_of max_tokens max_completion_tokens max_output_tokens maxOutputTokens candidateCount
  service_tier prediction modalities audio web_search_options models plugins user metadata suffix functions
  logit_bias prompt messages input stream_options tools_x extra_content name cache_control type detail
  reasoning_effort top_logprobs seed min_tokens unheard_of`.split(/\s+/);
const google = fc.dictionary(
  fc.constantFrom(
    ...`contents systemInstruction system_instruction cachedContent cached_content tools safetySettings
    labels toolConfig thinking_config serviceTier maxOutputTokens`.split(/\s+/),
  ),
  json,
  { maxKeys: 2 },
);
const googleConfig = fc.dictionary(
  fc.constantFrom(
    'maxOutputTokens',
    'max_output_tokens',
    'candidateCount',
    'candidate_count',
    'topK',
  ),
  json,
  { maxKeys: 3 },
);
const unknown = fc.oneof(
  fc.dictionary(fc.constantFrom(...NAMES), json, { minKeys: 1, maxKeys: 2 }),
  fc
    .tuple(google, googleConfig, fc.constantFrom('generationConfig', 'generation_config'))
    .map(([fields, config, name]) => ({ extra_body: { google: { ...fields, [name]: config } } })),
);
/** Fields of a request, and of its parts: one in a few has a field that its endpoint does not have. */
const [more, rare] = [2, 24].map((weight) =>
  fc.oneof({ weight, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: unknown }),
) as [fc.Arbitrary<object>, fc.Arbitrary<object>];
const part = fc.oneof(
  fc.tuple(text, rare).map(([value, rest]) => ({ type: 'text', ...rest, text: value })),
  fc.tuple(text, rare).map(([value, rest]) => ({ ...rest, type: 'input_file', file_data: value })),
);
const call = fc.tuple(text, rare).map(([value, rest]) => ({
  ...rest,
  id: 'c1',
  type: 'function',
  function: { name: 'f', arguments: JSON.stringify({ [value]: value }) },
}));
const message = fc.oneof(
  fc.tuple(text, rare).map(([content, rest]) => ({ ...rest, role: 'user', content })),
  fc
    .tuple(fc.array(part, { maxLength: 3 }), rare)
    .map(([content, rest]) => ({ ...rest, role: 'user', content })),
  fc.tuple(text, rare).map(([content, rest]) => ({ ...rest, role: 'system', content })),
  fc
    .tuple(fc.array(call, { maxLength: 2 }), text, rare)
    .map(([tool_calls, reasoning_content, rest]) => ({
      ...rest,
      role: 'assistant',
      content: null,
      tool_calls,
      reasoning_content,
    })),
  fc
    .tuple(text, rare)
    .map(([content, rest]) => ({ ...rest, role: 'tool', tool_call_id: 'c1', content })),
);
const tool = fc.tuple(text, rare).map(([value, rest]) => ({
  ...rest,
  name: 'f',
  description: value,
  parameters: { type: 'object', properties: { [value]: { description: value } } },
}));
const limit = fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined });
const count = fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined });
const schema = fc
  .option(text, { nil: undefined })
  .map((value) =>
    value === undefined ? undefined : { name: 's', schema: { properties: { [value]: {} } } },
  );

const chat = fc
  .tuple(
    more,
    fc.array(message, { minLength: 1, maxLength: 4 }),
    fc.option(tool),
    limit,
    count,
    schema,
  )
  .map(([rest, messages, given, max, n, form]) => ({
    ...rest,
    messages,
    ...(given === null ? {} : { tools: [{ type: 'function', function: given }] }),
    ...(max === undefined ? {} : { max_tokens: max }),
    ...(n === undefined ? {} : { n }),
    ...(form === undefined ? {} : { response_format: { type: 'json_schema', json_schema: form } }),
  }));
const completions = fc
  .tuple(more, text, count)
  .map(([rest, prompt, n]) => ({ ...rest, prompt, n }));
const responses = fc
  .tuple(more, text, text, fc.option(tool), limit)
  .map(([rest, input, instructions, given, max]) => ({
    ...rest,
    input,
    instructions,
    ...(given === null ? {} : { tools: [{ ...given, type: 'function' }] }),
    max_output_tokens: max,
  }));
const gemini = fc
  .tuple(more, text, google, googleConfig)
  .map(([rest, value, fields, generationConfig]) => ({
    ...rest,
    ...fields,
    contents: [{ parts: [{ ...rest, text: value }] }],
    generationConfig,
  }));

/** Answers in the form that it is asked in, and remembers the last body. */
async function startRecorder() {
  const last: { body: string | undefined } = { body: undefined };
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      last.body = body;
      const { n, generationConfig } = JSON.parse(body) as Sent;
      const indices = Array.from(
        { length: n ?? generationConfig?.candidateCount ?? 1 },
        (_, index) => index,
      );
      const chunk = request.url!.includes('Content')
        ? {
            candidates: indices.map((index) => ({
              index,
              content: { parts: [{ text: 'x' }] },
              finishReason: 'STOP',
            })),
          }
        : {
            choices: indices.map((index) => ({
              index,
              delta: { content: 'x' },
              text: 'x',
              finish_reason: 'stop',
            })),
          };
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(`data: ${JSON.stringify(chunk)}\n\n`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { last, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function start() {
  const recorder = await startRecorder();
  const dollars = { in: { input: 1, output: 0 }, out: { input: 0, output: 1 } };
  const settings = LanguageSettings.parse({
    providers: (['openai', 'gemini'] as const).map((kind) => ({
      name: kind,
      kind,
      baseUrl: recorder.url,
    })),
    models: (['openai', 'gemini'] as const).flatMap((provider) =>
      (['in', 'out'] as const).map((side) => ({
        name: `${provider}-${side}`,
        routes: [{ provider, model: 'm', price: dollars[side] }],
        ttftMs: 60_000,
        maxOutputTokens: MAX_OUTPUT,
        contextTokens: 1_000_000,
        hedge: false,
        cache: false,
      })),
    ),
    budgets: [{ subject: 'all', usd: 1e6 }],
  });
  const gateway = await openGateway({ settings });
  onTestFinished(() => gateway.close());
  const { port } = await startLanguageFaces({ languageModels: async () => gateway } as object);

  /** @returns the tokens that were reserved, of the prompt or of the answer; undefined: refused. */
  async function ask(model: string, path: (model: string) => string, body: object) {
    recorder.last.body = undefined;
    // Gemini's streams have an address of their own.
    const sent = { stream: path(model).startsWith('/v1/') || undefined, ...body, model };
    const { status, headers } = await send(port, path(model), post(JSON.stringify(sent)));
    if (status !== 200) {
      expect(recorder.last.body).toBeUndefined();
      expect(status).toBe(400);
      return undefined;
    }
    return Math.round(Number(headers['skein-cost-limit-usd']) * 1e6);
  }
  return { recorder, ask };
}

interface Sent {
  readonly messages?: readonly object[];
  readonly contents?: readonly object[];
  readonly tools?: readonly object[];
  readonly max_tokens?: number;
  readonly max_completion_tokens?: number;
  readonly n?: number;
  readonly generationConfig?: { maxOutputTokens?: number; candidateCount?: number };
}

const FACES = {
  chat: [() => '/v1/chat/completions', chat],
  completions: [() => '/v1/completions', completions],
  responses: [() => '/v1/responses', responses],
  gemini: [(model: string) => `/v1beta/models/${model}:streamGenerateContent?alt=sse`, gemini],
} as const;

test.each(Object.entries(FACES))('over %s', async (_, [path, bodies]) => {
  const { recorder, ask } = await start();
  let answered = 0;
  await fc.assert(
    fc.asyncProperty(
      bodies as fc.Arbitrary<object>,
      fc.constantFrom('openai', 'gemini'),
      async (body, provider) => {
        const prompt = await ask(`${provider}-in`, path, body);
        const answer = await ask(`${provider}-out`, path, body);
        expect(answer === undefined).toBe(prompt === undefined);
        if (prompt === undefined || answer === undefined) return;
        answered += 1;
        const written = recorder.last.body!;
        const sent = JSON.parse(written) as Sent;
        const { messages = [], contents = messages, tools = [] } = sent;
        const template =
          TEMPLATE.always +
          (tools.length === 0 ? 0 : TEMPLATE.withTools) +
          TEMPLATE.frame * (contents.length + tools.length);
        const isFile = written.includes('input_file');
        const bytes = 2 * (written.split(LETTER).length - 1);
        // A file reserves the whole context, which is more than any of these requests.
        if (!isFile) expect(bytes).toBeLessThanOrEqual(prompt - template);
        else expect(prompt).toBeGreaterThanOrEqual(1_000_000);
        const config = sent.generationConfig ?? {};
        const tokens = sent.max_tokens ?? sent.max_completion_tokens ?? config.maxOutputTokens;
        const choices = sent.n ?? config.candidateCount ?? 1;
        expect(tokens! * choices).toBe(answer);
        expect(written).not.toMatch(
          /"(best_of|service_tier|prediction|modalities|audio|web_search_options|models|plugins|cache_control|cached_?[cC]ontent|serviceTier|unheard_of)":/,
        );
      },
    ),
    { numRuns: 120, seed: 7 },
  );
  // Not all of them are refused.
  expect(answered).toBeGreaterThan(10);
});
