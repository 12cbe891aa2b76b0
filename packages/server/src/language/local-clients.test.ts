/**
 * OpenAI's client, unmodified, against a node whose model runs on it: what a request asks for is kept,
 * or refused with the name of its field.
 */
import { relative } from 'node:path';
import { issueToken } from '@skein/http';
import { createClient, type Client } from '@skein/api/client';
import { writeExampleModel } from '@skein/generative/model-files';
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { startTestNode, type TestNode } from '../testing/test-node.ts';

const WORDS = 'Hello! I am the example model of Skein.';
const model = 'example';
const messages = [{ role: 'user' as const, content: 'Who are you?' }];
const asked = { model, messages, temperature: 0, max_completion_tokens: 8 };
const folder = testFolder();
let node: TestNode;
let token: string;
let operator: Client;

const clientOf = (apiKey: string, maxRetries = 0): OpenAI =>
  new OpenAI({ baseURL: `${node.url}/v1`, apiKey, maxRetries });

beforeAll(async () => {
  await writeExampleModel(folder);
  token = issueToken().token;
  node = await startTestNode({
    access: 'required',
    givenKeys: [{ token, scope: 'admin' }],
  });
  operator = createClient({ url: node.url, key: token });
  await operator.putProvider({ name: 'here', kind: 'onnx', path: relative('.', folder) });
  await operator.putLanguageModel({
    name: model,
    routes: [{ provider: 'here', model }],
    // A busy machine is not what these tests are about.
    ttftMs: 20_000,
  });
});
afterAll(async () => {
  await node.close();
});

test('a path is kept as an absolute one: the next start may be in another directory', async () => {
  const { settings } = await operator.getLanguageModels();
  expect(settings.providers).toMatchObject([{ name: 'here', path: folder }]);
});

test('whole answers: several, cut at a stop string or a limit, with log probabilities', async () => {
  const { chat, completions } = clientOf(token);
  const { choices, usage } = await chat.completions.create({ ...asked, n: 2, seed: 7 });
  expect(choices.map(({ index, finish_reason }) => [index, finish_reason])).toEqual([
    [0, 'length'],
    [1, 'length'],
  ]);
  for (const { message } of choices) expect(WORDS).toContain(message.content);
  expect(usage?.completion_tokens).toBe(16);
  const stopped = await chat.completions.create({ ...asked, stop: ['example'] });
  expect(stopped.choices[0]).toMatchObject({
    message: { content: 'Hello! I am the ' },
    finish_reason: 'stop',
  });
  const scored = await chat.completions.create({ ...asked, logprobs: true, top_logprobs: 2 });
  const tokens = scored.choices[0]!.logprobs!.content!;
  expect(tokens.map(({ token }) => token).join('')).toBe(scored.choices[0]!.message.content);
  for (const { logprob, top_logprobs: top } of tokens) {
    expect(top).toHaveLength(2);
    expect(top[0]!.logprob).toBe(logprob);
  }
  const continued = await completions.create({ model, prompt: 'Once', max_tokens: 3, logprobs: 1 });
  expect(continued.choices[0]!.logprobs!.tokens).toHaveLength(3);
});

test('streams with usage, and frees the place of one that is left in the middle', async () => {
  const { chat } = clientOf(token);
  let text = '';
  let usage: unknown;
  for await (const chunk of await chat.completions.create({
    ...asked,
    stream: true,
    stream_options: { include_usage: true },
  })) {
    text += chunk.choices[0]?.delta.content ?? '';
    usage = chunk.usage ?? usage;
  }
  expect(WORDS).toContain(text);
  expect(usage).toMatchObject({ completion_tokens: 8 });
  const left = await chat.completions.create({
    ...asked,
    // The model ends its words: a required tool keeps it writing until the limit.
    max_completion_tokens: 900,
    stream: true,
    tools: [{ type: 'function', function: { name: 'speak', parameters: LONG } }],
    tool_choice: 'required',
  });
  left.controller.abort();
  const running = async (): Promise<unknown> =>
    (await operator.getLanguageModels()).models[0]?.routes[0]?.running;
  await expect.poll(running, { timeout: 60_000 }).toBe(0);
});
const LONG = {
  type: 'object',
  properties: { text: { type: 'string', minLength: 800 } },
  required: ['text'],
};

test('required tools and schemas, whole, streamed and as responses', async () => {
  const { chat, responses } = clientOf(token);
  const parameters = {
    type: 'object',
    properties: {
      city: { type: 'string', maxLength: 4 },
      days: { type: 'integer', minimum: 1, maximum: 7 },
    },
    required: ['city', 'days'],
    additionalProperties: false,
  };
  const weather = { name: 'weather', parameters, strict: true };
  const settings = { ...asked, max_completion_tokens: 600 };
  const tools = [{ type: 'function' as const, function: weather }];
  const helper = chat.completions.stream({ ...settings, tools, tool_choice: 'required' });
  const [call] = (await helper.finalChatCompletion()).choices[0]!.message.tool_calls!;
  if (call?.type !== 'function') throw new Error('no call of a function');
  const { city, days } = JSON.parse(call.function.arguments) as { city: string; days: number };
  expect([call.function.name, city.length <= 4]).toEqual(['weather', true]);
  expect(days).toBeOneOf([1, 2, 3, 4, 5, 6, 7]);
  const format = { name: 'trip', schema: parameters, strict: true };
  const parsed = await chat.completions.parse({
    ...settings,
    response_format: { type: 'json_schema', json_schema: format },
  });
  expect(parsed.choices[0]!.message.parsed).toMatchObject({ days: expect.any(Number) as number });
  const response = await responses.create({
    model,
    input: 'Where?',
    max_output_tokens: 600,
    tools: [{ type: 'function', ...weather }],
    tool_choice: 'required',
  });
  expect(response.output).toMatchObject([{ type: 'function_call', name: 'weather' }]);
  // A request that forbids its tools needs no place for them.
  const none = await chat.completions.create({ ...settings, tools, tool_choice: 'none' });
  expect(none.choices[0]!.message.tool_calls).toBeUndefined();
  await expect(chat.completions.create({ ...settings, tools })).rejects.toThrow(/chat template/);
});

test.each([
  ['logit_bias', { logit_bias: { 7: -100 } }],
  ['web_search_options', { web_search_options: {} }],
  ['store', { store: true }],
  ['verbosity', { verbosity: 'low' }],
  ['guided_regex', { guided_regex: 'a+' }],
] as const)('refuses %s, which the model would ignore', async (param, more) => {
  const answer = clientOf(token).chat.completions.create({ ...asked, ...(more as object) });
  await expect(answer).rejects.toBeInstanceOf(OpenAI.BadRequestError);
  await expect(answer).rejects.toMatchObject({ code: 'generation_unsupported', param });
});

test('errors by their class: keys, rates, budgets, models, prompts', async () => {
  const hello = (client: OpenAI) => client.chat.completions.create(asked);
  await expect(hello(clientOf('sk-wrong'))).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
  const { secret: reader } = await operator.createKey({ label: 'reader', scopes: ['read'] });
  await expect(hello(clientOf(reader))).rejects.toBeInstanceOf(OpenAI.PermissionDeniedError);
  const { chat, models } = clientOf(token);
  await expect(models.retrieve('gpt-9')).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  const long = [{ role: 'user' as const, content: 'word '.repeat(3000) }];
  await expect(chat.completions.create({ ...asked, messages: long })).rejects.toMatchObject({
    status: 400,
    code: 'context_length_exceeded',
  });
  const slow = await operator.createKey({ label: 'slow', ratePerSecond: 0.01 });
  await hello(clientOf(slow.secret));
  const refused = await hello(clientOf(slow.secret, 2)).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(OpenAI.RateLimitError);
  const { headers } = refused as InstanceType<typeof OpenAI.RateLimitError>;
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(10);
  // The wait is too long: the client has not tried again.
  expect(headers.get('x-should-retry')).toBe('false');
  // The client takes a short wait automatically.
  const brisk = await operator.createKey({ label: 'brisk', ratePerSecond: 4 });
  const answers = await Promise.all([1, 2, 3].map(() => hello(clientOf(brisk.secret, 5))));
  expect(answers).toHaveLength(3);
});

test('errors name the field that they are about, in the words of each endpoint', async () => {
  const { chat, responses, completions } = clientOf(token);
  const long = 'word '.repeat(3000);
  // Long for the engine, not for the gateway's estimate.
  const full = 'a b '.repeat(400);
  const user = (content: string) => [{ role: 'user' as const, content }];
  const image = [{ type: 'image_url' as const, image_url: { url: 'https://localhost/a.png' } }];
  // A grammar has no such part.
  const schema = { type: 'object', not: { type: 'string' } };
  const format = { type: 'json_schema' as const, name: 'x', schema };
  const tools = [{ type: 'function' as const, function: { name: 'f', parameters: schema } }];
  const json = { type: 'json_schema' as const, json_schema: { name: 'x', schema } };
  const gemini = async (body: object) => {
    const answer = await fetch(`${node.url}/v1beta/models/${model}:generateContent`, {
      method: 'POST',
      headers: { 'x-goog-api-key': token, 'content-type': 'application/json' },
      body: JSON.stringify({ contents: [{ parts: [{ text: 'Hi' }] }], ...body }),
    });
    const { error } = (await answer.json()) as {
      error: { details: { fieldViolations?: { field: string }[] }[] };
    };
    const [field] = error.details.flatMap(({ fieldViolations = [] }) => fieldViolations);
    throw Object.assign(new Error('refused'), { param: field?.field });
  };
  for (const [param, ask] of [
    ['messages', () => chat.completions.create({ ...asked, messages: user(long) })],
    ['messages', () => chat.completions.create({ ...asked, messages: user(full) })],
    [
      'messages',
      () => chat.completions.create({ ...asked, messages: [{ role: 'user', content: image }] }),
    ],
    ['response_format', () => chat.completions.create({ ...asked, response_format: json })],
    ['tools', () => chat.completions.create({ ...asked, tools, tool_choice: 'required' })],
    [
      'tool_choice',
      () =>
        chat.completions.create({
          ...asked,
          tools,
          tool_choice: { type: 'function', function: { name: 'g' } },
        }),
    ],
    ['input', () => responses.create({ model, input: long })],
    ['input', () => responses.create({ model, input: full })],
    ['text.format', () => responses.create({ model, input: 'Hi', text: { format } })],
    ['prompt', () => completions.create({ model, prompt: long })],
    [
      'contents',
      () =>
        gemini({ contents: [{ parts: [{ fileData: { fileUri: 'https://localhost/a.png' } }] }] }),
    ],
    [
      'generationConfig.responseSchema',
      () =>
        gemini({
          generationConfig: { responseMimeType: 'application/json', responseJsonSchema: schema },
        }),
    ],
  ] as const) {
    await expect(ask(), ask.toString()).rejects.toMatchObject({ param });
  }
});
