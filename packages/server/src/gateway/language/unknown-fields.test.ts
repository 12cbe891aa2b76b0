/** Fields without a word of ours, through the faces, the gateway and a provider, in both directions. */
import { expect, test } from 'vitest';
import {
  CHAT,
  delta,
  eventsOf,
  type Fields,
  hello,
  signed,
  startUpstream,
} from './testing/fixed-upstream.ts';

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
  const deltas = chunks.flatMap(({ choices }) => choices as { delta: { refusal?: string } }[]);
  expect(deltas.map((each) => each.delta.refusal ?? '').join('')).toBe('I cannot.');
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
])('the refusal of another provider is left out where it is refused, in %s', async (_, refusal) => {
  const { bodies, ask } = await startUpstream(
    [delta({ content: 'x' }, { finish_reason: 'stop' })],
    ({ messages }) => {
      const sent = JSON.stringify(messages);
      const field = ['extra_content', 'reasoning_content'].find((each) => sent.includes(each));
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
