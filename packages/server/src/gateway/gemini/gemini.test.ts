/** Gemini's API as raw requests. */
import { GoogleGenAI } from '@google/genai';
import { FieldError } from '@skein/generative';
import { expect, test } from 'vitest';
import { events, startLanguageFaces, USAGE } from '../language/testing/scripted-gateway.ts';
import { post, send } from '../testing/http-face.ts';
import { errorOf } from './errors.ts';

const PATH = '/v1beta/models/chat';
const hello = { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] };
const ask = (port: number, method: string, body: object) =>
  send(port, `${PATH}:${method}`, post(JSON.stringify(body)));

test('without alt=sse a stream is one JSON list, with it events; a call keeps its signature', async () => {
  const { port, gateway } = await startLanguageFaces();
  gateway.script = events(
    { type: 'text', text: 'Hel' },
    {
      type: 'tool-call',
      index: 0,
      id: 'a',
      name: 'look',
      arguments: '{"at":1}',
      extra: { extra_content: { google: { thought_signature: 'c2ln' } } },
    },
    { type: 'finish', reason: 'tool_calls' },
    { type: 'usage', usage: USAGE },
  );
  const pieces = [
    { candidates: [{ content: { parts: [{ text: 'Hel' }] } }] },
    {
      candidates: [
        {
          content: {
            parts: [
              {
                functionCall: { id: 'a', name: 'look', args: { at: 1 } },
                thoughtSignature: 'c2ln',
              },
            ],
          },
          finishReason: 'STOP',
        },
      ],
    },
    { usageMetadata: { promptTokenCount: 5, totalTokenCount: 7 } },
  ];
  const list = await ask(port, 'streamGenerateContent', hello);
  expect(list.json).toMatchObject(pieces);
  const { text } = await ask(port, 'streamGenerateContent?alt=sse', hello);
  const sent = text.split('\n\n').filter((event) => event !== '');
  expect(sent.map((event) => JSON.parse(event.slice(6)) as unknown)).toMatchObject(pieces);
});

test('a conversation with tools becomes messages, and its schemas JSON Schema', async () => {
  const { port, gateway } = await startLanguageFaces();
  await ask(port, 'generateContent', {
    systemInstruction: { parts: [{ text: 'Be short.' }] },
    contents: [
      {
        role: 'user',
        parts: [{ text: 'Look' }, { inlineData: { mimeType: 'image/png', data: 'iVBORw==' } }],
      },
      {
        role: 'model',
        parts: [{ functionCall: { name: 'look', args: {} }, thoughtSignature: 'c2ln' }],
      },
      {
        role: 'user',
        parts: [{ functionResponse: { name: 'look', response: { seen: 'a cat' } } }],
      },
    ],
    tools: [{ functionDeclarations: [{ name: 'look', parameters: { type: 'OBJECT' } }] }],
    toolConfig: { functionCallingConfig: { mode: 'ANY' } },
    generationConfig: { maxOutputTokens: 9, responseSchema: { type: 'OBJECT' }, topK: 3 },
  });
  expect(gateway.requests[0]).toMatchObject({
    messages: [
      { role: 'system', content: [{ text: 'Be short.' }] },
      {
        role: 'user',
        content: [{ text: 'Look' }, { type: 'image', url: 'data:image/png;base64,iVBORw==' }],
      },
      {
        role: 'assistant',
        toolCalls: [
          { id: 'call_look', extra: { extra_content: { google: { thought_signature: 'c2ln' } } } },
        ],
      },
      { role: 'tool', toolCallId: 'call_look', content: [{ text: '{"seen":"a cat"}' }] },
    ],
    tools: [{ name: 'look', parameters: { type: 'object' } }],
    toolChoice: 'required',
    format: { type: 'schema', schema: { type: 'object' } },
    sampling: { topK: 3 },
    maxTokens: 9,
  });
});

test('gives each call without an id its own, and each answer the id of its call', async () => {
  const { port, gateway } = await startLanguageFaces();
  const call = (city: string) => ({ functionCall: { name: 'weather', args: { city } } });
  const answer = (is: string) => ({ functionResponse: { name: 'weather', response: { is } } });
  await ask(port, 'generateContent', {
    contents: [
      { parts: [{ text: 'Weather?' }] },
      { role: 'model', parts: [call('Rome'), call('Oslo')] },
      { role: 'user', parts: [answer('sun'), answer('snow')] },
    ],
  });
  const [, called, ...answered] = gateway.requests[0]!.messages;
  const ids = called?.toolCalls?.map(({ id }) => id);
  expect(new Set(ids).size).toBe(2);
  expect(answered.map(({ toolCallId }) => toolCallId)).toEqual(ids);
});

test.each([
  [[{ parts: [{ text: 'a', functionCall: { name: 'f' } }] }], 'has both text and functionCall'],
  [[{ parts: [{ functionCall: { name: 'f' } }] }], 'is not in a content of the role "model"'],
  [[{ parts: [] }], '"contents" must be contents with at least one part'],
])('refuses contents that would lose a part: %j', async (contents, message) => {
  const { port } = await startLanguageFaces();
  const { status, json } = await ask(port, 'generateContent', { contents });
  expect(status).toBe(400);
  expect(JSON.stringify(json)).toContain(JSON.stringify(message).slice(1, -1));
});

test('counts the tokens of contents and of a whole request, also for Google’s client', async () => {
  const { port, gateway } = await startLanguageFaces();
  const baseUrl = `http://127.0.0.1:${port}`;
  const client = new GoogleGenAI({ apiKey: 'none', httpOptions: { baseUrl } });
  const counted = await client.models.countTokens({ model: 'chat', contents: 'Hi' });
  expect(counted.totalTokens).toBe(7);
  const whole = { ...hello, systemInstruction: { parts: [{ text: 'Be short.' }] } };
  const { json } = await ask(port, 'countTokens', { generateContentRequest: whole });
  expect(json).toEqual({ totalTokens: 7 });
  expect(gateway.requests.map(({ messages }) => messages.map(({ role }) => role))).toEqual([
    ['user'],
    ['system', 'user'],
  ]);
  const { status, json: refusal } = await ask(port, 'countTokens', { contents: 5 });
  expect([status, refusal]).toMatchObject([400, { error: { status: 'INVALID_ARGUMENT' } }]);
});

test('reads both spellings of fields, and passes on the fields of Gemini alone', async () => {
  const { port, gateway } = await startLanguageFaces();
  await ask(port, 'generateContent', {
    system_instruction: { parts: [{ text: 'Be short.' }] },
    contents: [{ parts: [{ inline_data: { mime_type: 'image/png', data: 'iVBORw==' } }] }],
    tools: [{ function_declarations: [{ name: 'a' }, { name: 'b' }, { name: 'c' }] }],
    tool_config: {
      function_calling_config: { mode: 'ANY', allowed_function_names: ['b', 'c'] },
    },
    generation_config: { max_output_tokens: 9, thinking_config: { thinkingBudget: 0 } },
    safetySettings: [{ category: 'X', threshold: 'BLOCK_NONE' }],
    cached_content: 'c1',
  });
  expect(gateway.requests[0]).toMatchObject({
    messages: [
      { role: 'system', content: [{ text: 'Be short.' }] },
      { role: 'user', content: [{ type: 'image' }] },
    ],
    tools: [{ name: 'b' }, { name: 'c' }],
    toolChoice: 'required',
    maxTokens: 9,
    extra: {
      extra_body: {
        google: {
          safetySettings: [{ category: 'X', threshold: 'BLOCK_NONE' }],
          cachedContent: 'c1',
          generationConfig: { thinkingConfig: { thinkingBudget: 0 } },
        },
      },
    },
  });
});

test.each([
  ['generationConfig.logprobs', { generationConfig: { logprobs: 2 } }],
  ['generationConfig.responseMimeType', { generationConfig: { responseMimeType: 'text/x.enum' } }],
  ['toolConfig.retrievalConfig', { toolConfig: { retrievalConfig: {} } }],
  [
    'toolConfig.functionCallingConfig.allowedFunctionNames',
    { toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['x'] } } },
  ],
])('refuses %s, which it would not keep', async (field, more) => {
  const { port } = await startLanguageFaces();
  const { status, json } = await ask(port, 'generateContent', { ...hello, ...more });
  expect(status).toBe(400);
  expect(JSON.stringify(json)).toContain(`"field":"${field}"`);
});

test('embeds by the task that is asked for, one for all contents', async () => {
  const { port, gateway } = await startLanguageFaces();
  const content = { parts: [{ text: 'a' }] };
  const one = { content, task_type: 'RETRIEVAL_QUERY', output_dimensionality: 3 };
  await ask(port, 'embedContent', one);
  expect(gateway.embeds[0]).toMatchObject({
    dimensions: 3,
    extra: { extra_body: { google: { taskType: 'RETRIEVAL_QUERY' } } },
  });
  const mixed = await ask(port, 'batchEmbedContents', { requests: [one, { content }] });
  expect(mixed.status).toBe(400);
});

test('errors have the shape of Google', async () => {
  const { port } = await startLanguageFaces();
  const wrong = await ask(port, 'generateContent', { contents: [] });
  expect(wrong.json).toMatchObject({
    error: {
      code: 400,
      status: 'INVALID_ARGUMENT',
      details: [{ reason: 'REQUEST_INVALID' }, { fieldViolations: [{ field: 'contents' }] }],
    },
  });
  const unknown = await send(
    port,
    '/v1beta/models/other:generateContent',
    post(JSON.stringify(hello)),
  );
  expect([unknown.status, unknown.json]).toMatchObject([404, { error: { status: 'NOT_FOUND' } }]);
  const models = await send(port, '/v1beta/models');
  expect(models.json).toMatchObject({ models: [{ name: 'models/chat', inputTokenLimit: 1000 }] });
});

test('an error names the field of Gemini', () => {
  const error = new FieldError('max_tokens', 'The field "max_tokens" is 0.');
  expect(errorOf(error)).toMatchObject({
    error: {
      message: expect.stringContaining('The field "generationConfig.maxOutputTokens" is 0.'),
    },
  });
});

test('refuses a name with an escape that means no byte', async () => {
  const { port } = await startLanguageFaces();
  const invalid = { error: { code: 400, status: 'INVALID_ARGUMENT' } };
  expect((await send(port, '/v1beta/models/%ZZ')).json).toMatchObject(invalid);
  const body = post(JSON.stringify(hello));
  expect((await send(port, '/v1beta/models/%ZZ:generateContent', body)).json).toMatchObject(
    invalid,
  );
});
