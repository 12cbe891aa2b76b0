/** Fields without a word of ours, through the faces, the gateway and a provider, in both directions. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GenerativeSettings } from '@skein/api';
import { openGateway } from '@skein/generative';
import { describe, expect, onTestFinished, test } from 'vitest';
import { post, send } from '../testing/http-face.ts';
import { startLanguageFaces } from './testing/scripted-gateway.ts';

type Fields = Readonly<Record<string, unknown>>;

/** An upstream that sends `chunks`, whatever it is asked; those of a refusal have a status. */
async function startUpstream(
  chunks: readonly Fields[],
  refuse?: (body: Fields) => Fields | undefined,
) {
  const bodies: Fields[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    request.on('end', () => {
      const body = JSON.parse(text) as Fields;
      bodies.push(body);
      const error = refuse?.(body);
      if (error !== undefined) {
        response.writeHead(400, { 'content-type': 'application/json' });
        response.end(JSON.stringify(error));
        return;
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join(''));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const settings = GenerativeSettings.parse({
    providers: [
      { name: 'openai', kind: 'openai', baseUrl },
      { name: 'gemini', kind: 'gemini', baseUrl },
    ],
    models: ['openai', 'gemini'].map((provider) => ({
      name: provider,
      routes: [{ provider, model: 'm' }],
      ttftMs: 60_000,
    })),
  });
  const gateway = await openGateway({ settings });
  onTestFinished(async () => {
    await gateway.close();
    server.closeAllConnections();
    server.close();
  });
  const { port } = await startLanguageFaces({ languageModels: async () => gateway } as object);
  const ask = async (path: string, body: object): Promise<{ text: string; json: Fields }> => {
    const { status, text, json } = await send(port, path, post(JSON.stringify(body)));
    expect(status, text).toBe(200);
    return { text, json: json as Fields };
  };
  return { bodies, ask };
}

const CHAT = '/v1/chat/completions';
const hello = [{ role: 'user', content: 'Hi' }];
const signed = (thought_signature: string) => ({
  extra_content: { google: { thought_signature } },
});
const delta = (fields: Fields, more: Fields = {}): Fields => ({
  choices: [{ index: 0, delta: fields, ...more }],
});
const eventsOf = (text: string): Fields[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('data: {'))
    .map((line) => JSON.parse(line.slice(6)) as Fields);

const OPENAI = [
  { ...delta({ role: 'assistant', content: '' }), system_fingerprint: 'fp', obfuscation: 'a' },
  { ...delta({ reasoning_content: 'hm', ...signed('reason') }), obfuscation: 'b' },
  delta({ content: 'Hel', ...signed('text') }, { content_filter_results: { hate: 'safe' } }),
  { ...delta({ reasoning_details: [{ index: 0, type: 'r', text: 'on' }] }), citations: ['c'] },
  delta({ content: 'lo', reasoning_details: [{ index: 0, type: 'r', text: 'ce' }] }),
  delta({ refusal: 'I can' }),
  delta({ refusal: 'not.' }),
  delta({
    tool_calls: [
      {
        index: 0,
        id: 'a',
        function: { name: 'f', arguments: '{}', strict_: 1 },
        ...signed('call'),
      },
    ],
  }),
  delta({}, { finish_reason: 'tool_calls', stop_reason: 7 }),
  {
    choices: [],
    service_tier: 'late',
    usage: {
      prompt_tokens: 9,
      completion_tokens: 4,
      cost: 99,
      cost_details: { upstream: 1 },
      prompt_tokens_details: { cached_tokens: 5, audio_tokens: 1 },
    },
  },
];

test('of an answer of OpenAI’s form: pieces are joined, and each field is where it was', async () => {
  const { ask } = await startUpstream(OPENAI);
  const { json } = await ask(CHAT, { model: 'openai', messages: hello });
  expect(json).toMatchObject({
    system_fingerprint: 'fp',
    citations: ['c'],
    service_tier: 'late',
    choices: [
      {
        content_filter_results: { hate: 'safe' },
        stop_reason: 7,
        message: {
          content: 'Hello',
          refusal: 'I cannot.',
          reasoning_details: [{ index: 0, type: 'r', text: 'once' }],
          tool_calls: [
            {
              id: 'a--signed-call',
              function: { name: 'f', arguments: '{}', strict_: 1 },
              ...signed('call'),
            },
          ],
          ...signed('text'),
        },
      },
    ],
    usage: {
      cost: 0,
      cost_details: { upstream: 1 },
      prompt_tokens_details: { cached_tokens: 5, audio_tokens: 1 },
    },
  });
  expect(json['obfuscation']).toBeUndefined();
  const stream = { stream: true, stream_options: { include_usage: true } };
  const chunks = eventsOf((await ask(CHAT, { model: 'openai', messages: hello, ...stream })).text);
  expect(chunks.at(-2)).toMatchObject({
    citations: ['c'],
    choices: [
      { finish_reason: 'tool_calls', stop_reason: 7, content_filter_results: { hate: 'safe' } },
    ],
  });
  expect(chunks.at(-1)).toMatchObject({ service_tier: 'late', usage: { cost_details: {} } });
  const said = chunks.flatMap(({ choices }) => choices as { delta: { refusal?: string } }[]);
  expect(said.map((each) => each.delta.refusal ?? '').join('')).toBe('I cannot.');
});

test('a refusal is a part of a response, and text for Gemini’s clients', async () => {
  const { ask } = await startUpstream([
    delta({ refusal: 'I can' }),
    delta({ refusal: 'not.', ...signed('text') }),
    delta({}, { finish_reason: 'stop' }),
  ]);
  const request = { model: 'openai', input: 'Hi' };
  const content = [{ type: 'refusal', refusal: 'I cannot.' }];
  const { json } = await ask('/v1/responses', request);
  const reasoning = { type: 'reasoning', summary: [] };
  expect(json['output']).toMatchObject([
    reasoning,
    { type: 'message', content, ...signed('text') },
  ]);
  const events = eventsOf((await ask('/v1/responses', { ...request, stream: true })).text);
  expect(events.map(({ type }) => type)).toEqual([
    'response.created',
    'response.in_progress',
    'response.output_item.added',
    'response.content_part.added',
    'response.refusal.delta',
    // The signature came with the second piece.
    'response.output_item.added',
    'response.refusal.delta',
    'response.refusal.done',
    'response.content_part.done',
    'response.output_item.done',
    'response.output_item.done',
    'response.completed',
  ]);
  expect(events.at(-1)).toMatchObject({ response: { output: [{ content }, reasoning] } });
  const contents = [{ parts: [{ text: 'Hi' }] }];
  const gemini = await ask('/v1beta/models/openai:generateContent', { contents });
  expect(gemini.json).toMatchObject({
    candidates: [{ content: { parts: [{ text: 'I cannot.', thoughtSignature: 'text' }] } }],
  });
});

test('of a request of OpenAI’s form', async () => {
  const { bodies, ask } = await startUpstream([delta({ content: 'x' }, { finish_reason: 'stop' })]);
  const call = { id: 'a', type: 'function', function: { name: 'f', arguments: '{}', z: 1 } };
  const image = { url: 'https://localhost/a.png', detail: 'low', format: 'png' };
  const messages = [
    { role: 'user', content: [{ type: 'image_url', image_url: image, cache_control: {} }] },
    { role: 'assistant', content: null, tool_calls: [{ ...call, ...signed('call') }] },
    { role: 'tool', tool_call_id: 'a', content: 'r' },
  ];
  const tools = [
    { type: 'function', function: { name: 'f', parameters: {}, y: 1 }, cache_control: { x: 1 } },
  ];
  await ask(CHAT, { model: 'openai', messages, tools, prompt_cache_key: 'k', own: 1 });
  expect(bodies[0]).toMatchObject({ messages, tools, prompt_cache_key: 'k', own: 1 });
  await ask('/v1/responses', {
    model: 'openai',
    prompt_cache_key: 'k',
    input: [
      { role: 'user', content: [{ type: 'input_image', image_url: image.url, detail: 'high' }] },
      { role: 'assistant', content: [{ type: 'output_text', text: 'x' }], ...signed('text') },
    ],
  });
  expect(bodies[1]).toMatchObject({
    prompt_cache_key: 'k',
    messages: [
      { content: [{ type: 'image_url', image_url: { url: image.url, detail: 'high' } }] },
      { role: 'assistant', content: 'x', ...signed('text') },
    ],
  });
});

const GEMINI_PARTS = [
  { inlineData: { mimeType: 'image/png', data: 'AAAA' }, thoughtSignature: 'image' },
  { executableCode: { code: '1' } },
  { functionCall: { id: 'a', name: 'f', args: {} }, thoughtSignature: 'call' },
];
const GEMINI = [
  { createTime: 't', candidates: [{ content: { parts: [{ text: 'hm', thought: true }] } }] },
  { candidates: [{ content: { parts: [{ text: 'Hel' }] }, groundingMetadata: { a: 1 } }] },
  {
    candidates: [
      {
        content: {
          parts: [{ text: 'lo', thoughtSignature: 'text' }, ...GEMINI_PARTS],
        },
      },
    ],
  },
  {
    candidates: [{ finishReason: 'STOP', citationMetadata: { b: 2 } }],
    usageMetadata: { promptTokenCount: 9, candidatesTokenCount: 4, trafficType: 'x' },
  },
];

test('of an answer of Gemini’s form', async () => {
  const { ask } = await startUpstream(GEMINI);
  const contents = [{ parts: [{ text: 'Hi' }] }];
  const { json } = await ask('/v1beta/models/gemini:generateContent', { contents });
  const parts = [
    { text: 'hm', thought: true },
    { text: 'Hello', thoughtSignature: 'text' },
    ...GEMINI_PARTS,
  ];
  expect(json).toMatchObject({
    createTime: 't',
    candidates: [
      { content: { parts }, finishReason: 'STOP', groundingMetadata: {}, citationMetadata: {} },
    ],
    usageMetadata: { trafficType: 'x' },
  });
  const path = '/v1beta/models/gemini:streamGenerateContent?alt=sse';
  const pieces = eventsOf((await ask(path, { contents })).text);
  const sent = pieces.flatMap(
    ({ candidates = [] }) => candidates as { content: { parts: Fields[] } }[],
  );
  expect(sent.flatMap(({ content }) => content.parts).slice(2)).toEqual([
    { text: 'lo', thoughtSignature: 'text' },
    ...parts.slice(2),
  ]);
  expect(pieces.at(-2)).toMatchObject({
    candidates: [{ groundingMetadata: {}, citationMetadata: {} }],
  });
  const chat = (await ask(CHAT, { model: 'gemini', messages: hello })).json;
  expect(chat).toMatchObject({
    choices: [
      {
        message: {
          content: 'Hello',
          tool_calls: [signed('call')],
          extra_content: {
            google: {
              thought_signature: 'image',
              parts: [{ inlineData: { data: 'AAAA' } }, { executableCode: { code: '1' } }],
              groundingMetadata: {},
              citationMetadata: {},
            },
          },
        },
      },
    ],
  });
});

test('of a request for Gemini: what is not offered is refused by its name', async () => {
  const finish = [{ candidates: [{ content: { parts: [{ text: 'x' }] }, finishReason: 'STOP' }] }];
  const { bodies, ask } = await startUpstream(finish);
  const image = { inlineData: { mimeType: 'image/png', data: 'AAAA' } };
  const contents = [
    {
      role: 'user',
      parts: [{ ...image, mediaResolution: { level: 'LOW' }, thoughtSignature: 'i' }],
    },
    {
      role: 'model',
      parts: [{ functionCall: { id: 'a', name: 'f', args: {} }, thoughtSignature: 'c' }],
    },
    {
      role: 'user',
      parts: [{ functionResponse: { id: 'a', name: 'f', response: { r: 1 }, parts: [image] } }],
    },
  ];
  const tools = [{ functionDeclarations: [{ name: 'f', response: { type: 'STRING' } }] }];
  const path = '/v1beta/models/gemini:generateContent';
  await ask(path, { contents, tools });
  expect(bodies[0]).toMatchObject({ contents, tools });
  await ask(CHAT, {
    model: 'gemini',
    messages: [...hello, { role: 'assistant', content: 'x', ...signed('text') }, ...hello],
  });
  expect(bodies[1]).toMatchObject({
    contents: [{}, { role: 'model', parts: [{ text: 'x', thoughtSignature: 'text' }] }, {}],
  });
  await expect(ask(path, { contents, tools: [{ ...tools[0], googleSearch: {} }] })).rejects.toThrow(
    /tools\[0\]\.googleSearch/,
  );
  const [first] = contents[0]!.parts;
  await expect(ask(path, { contents: [{ parts: [{ ...first, unheard: 1 }] }] })).rejects.toThrow(
    /parts\[0\]\.unheard/,
  );
});

test('the limit of tokens has the name that the upstream asks for, from then on', async () => {
  const finish = [delta({ content: 'x' }, { finish_reason: 'stop' })];
  const { bodies, ask } = await startUpstream(finish, ({ max_tokens: given }) =>
    given === undefined
      ? undefined
      : {
          error: {
            message: `Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.`,
            type: 'invalid_request_error',
            param: 'max_tokens',
            code: 'unsupported_parameter',
          },
        },
  );
  const request = { model: 'openai', messages: hello, max_tokens: 5 };
  await ask(CHAT, request);
  await ask(CHAT, request);
  expect(bodies.map((body) => [body['max_tokens'], body['max_completion_tokens']])).toEqual([
    [5, undefined],
    [undefined, 5],
    [undefined, 5],
  ]);
});

test.each([
  [
    'OpenAI’s form',
    (field: string) => ({ error: { message: `property '${field}' is unsupported` } }),
  ],
  [
    'a checked schema',
    (field: string) => ({ detail: [{ loc: ['body', 'messages', 1, field], msg: 'Extra inputs' }] }),
  ],
])('what another provider has said is left out where it is refused, in %s', async (_, refusal) => {
  const { bodies, ask } = await startUpstream(
    [delta({ content: 'x' }, { finish_reason: 'stop' })],
    ({ messages }) => {
      const said = JSON.stringify(messages);
      const field = ['extra_content', 'reasoning_content'].find((each) => said.includes(each));
      return field === undefined ? undefined : refusal(field);
    },
  );
  const call = { id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } };
  const messages = [
    ...hello,
    { role: 'assistant', reasoning_content: 'hm', tool_calls: [{ ...call, ...signed('call') }] },
    { role: 'tool', tool_call_id: 'a', content: 'r' },
  ];
  await ask(CHAT, { model: 'openai', messages });
  expect(bodies).toHaveLength(3);
  const assistant = { role: 'assistant', content: null, tool_calls: [call] };
  expect(bodies[2]!['messages']).toEqual([...hello, assistant, messages[2]]);
});

test('of the thoughts of Gemini: their signatures come back to them, through both faces', async () => {
  const thoughts = [
    { text: 'How many? ', thought: true, thoughtSignature: 'one' },
    { text: 'Two.', thought: true, thoughtSignature: 'two' },
  ];
  const said = { text: 'Both.', thoughtSignature: 'text' };
  const parts = [...thoughts, said];
  const { ask, bodies } = await startUpstream([
    { candidates: [{ content: { parts: thoughts.slice(0, 1) } }] },
    { candidates: [{ content: { parts: parts.slice(1) }, finishReason: 'STOP' }] },
  ]);
  const asked = { role: 'user', parts: [{ text: 'Hi' }] };
  const whole = await ask('/v1beta/models/gemini:generateContent', { contents: [asked] });
  const [{ content }] = whole.json['candidates'] as [{ content: { parts: Fields[] } }];
  expect(content.parts).toEqual(parts);
  await ask('/v1beta/models/gemini:generateContent', { contents: [asked, content, asked] });
  expect(bodies.at(-1)!['contents']).toEqual([asked, { role: 'model', parts }, asked]);

  const chat = (await ask(CHAT, { model: 'gemini', messages: hello })).json;
  const [{ message }] = chat['choices'] as [{ message: Fields }];
  expect(message).toMatchObject({ content: 'Both.', reasoning_content: 'How many? Two.' });
  await ask(CHAT, { model: 'gemini', messages: [...hello, message, ...hello] });
  expect(bodies.at(-1)!['contents']).toEqual([asked, { role: 'model', parts }, asked]);

  // A client that joins deltas: texts go on, and of all else the last one counts.
  const { text } = await ask(CHAT, { model: 'gemini', messages: hello, stream: true });
  const joined: Record<string, unknown> = { role: 'assistant' };
  let google: Fields = {};
  for (const { choices } of eventsOf(text)) {
    const [choice] = choices as [{ delta: Fields }] | [];
    for (const [name, value] of Object.entries(choice?.delta ?? {})) {
      if (name === 'extra_content') google = { ...google, ...(value as { google: Fields }).google };
      else if (name !== 'role')
        joined[name] = `${(joined[name] as string) ?? ''}${value as string}`;
    }
  }
  joined['extra_content'] = { google };
  await ask(CHAT, { model: 'gemini', messages: [...hello, joined, ...hello] });
  expect(bodies.at(-1)!['contents']).toEqual([asked, { role: 'model', parts }, asked]);
});

describe('of Gemini, through responses', () => {
  const RESPONSES = '/v1/responses';
  const asked = { role: 'user', parts: [{ text: 'Hi' }] };
  const thoughts = [
    { text: 'How many? ', thought: true, thoughtSignature: 'one' },
    { text: 'Two.', thought: true, thoughtSignature: 'two' },
  ];
  const said = { text: 'I look.', thoughtSignature: 'text' };
  const called = (id: string) => ({
    functionCall: { id, name: 'look', args: { at: id } },
    thoughtSignature: `of ${id}`,
  });
  const looked = (id: string) => ({ type: 'function_call_output', call_id: id, output: '{"n":1}' });
  const result = (id: string) => ({
    functionResponse: { id, name: 'look', response: { n: 1 } },
  });
  /** What clients keep of an item that know OpenAI's fields alone. */
  const KNOWN: Readonly<Record<string, readonly string[]>> = {
    reasoning: ['type', 'id', 'summary', 'encrypted_content'],
    message: ['type', 'id', 'role', 'content', 'status'],
    function_call: ['type', 'id', 'call_id', 'name', 'arguments', 'status'],
  };
  const known = (item: Fields): Fields =>
    Object.fromEntries(KNOWN[item['type'] as string]!.map((name) => [name, item[name]]));

  test.for([
    ['thoughts, a text and calls', [...thoughts, said, called('a'), called('b')]],
    ['a call alone', [called('a')]],
    ['thoughts and a call', [...thoughts, called('a')]],
    ['a text and a call', [{ text: 'I look.' }, called('a')]],
  ] as const)('the signatures of %s come back', async ([, parts]) => {
    const { ask, bodies } = await startUpstream([
      { candidates: [{ content: { parts: parts.slice(0, 1) } }] },
      { candidates: [{ content: { parts: parts.slice(1) }, finishReason: 'STOP' }] },
    ]);
    const whole = (await ask(RESPONSES, { model: 'gemini', input: 'Hi' })).json;
    const { text } = await ask(RESPONSES, { model: 'gemini', input: 'Hi', stream: true });
    const { response } = eventsOf(text).at(-1) as { response: Fields };
    const done = eventsOf(text).filter(({ type }) => type === 'response.output_item.done');
    const ids = parts.flatMap((part) => ('functionCall' in part ? [part.functionCall.id] : []));
    for (const output of [whole['output'], response['output'], done.map(({ item }) => item)]) {
      for (const kept of [output as Fields[], (output as Fields[]).map(known)]) {
        const input = [{ role: 'user', content: 'Hi' }, ...kept, ...ids.map(looked)];
        await ask(RESPONSES, { model: 'gemini', input });
        expect(bodies.at(-1)!['contents']).toEqual([
          asked,
          { role: 'model', parts },
          { role: 'user', parts: ids.map(result) },
        ]);
      }
    }
  });

  test('content of another server, and any that is broken, says nothing', async () => {
    const { ask, bodies } = await startUpstream([
      { candidates: [{ content: { parts: [{ text: 'Hi' }] }, finishReason: 'STOP' }] },
    ]);
    const broken = [
      'null',
      '[]',
      '{"thoughts":7,"text":7,"calls":{"a":1}}',
      '{"calls":[[],[7,7],7]}',
    ];
    for (const encrypted_content of [
      'gAAAAB',
      'skein:',
      'skein:%',
      7,
      null,
      ...broken.map((text) => `skein:${Buffer.from(text).toString('base64url')}`),
    ]) {
      const reasoning = { type: 'reasoning', summary: [], encrypted_content };
      const call = { type: 'function_call', call_id: 'a', name: 'look', arguments: '{}' };
      const input = [{ role: 'user', content: 'Hi' }, reasoning, call, looked('a'), reasoning];
      await ask(RESPONSES, { model: 'gemini', input });
      expect(bodies.at(-1)!['contents']).toEqual([
        asked,
        { role: 'model', parts: [{ functionCall: { id: 'a', name: 'look', args: {} } }] },
        { role: 'user', parts: [result('a')] },
      ]);
    }
  });
});
