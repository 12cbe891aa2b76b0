/** The worst case of a request holds for what is sent to an upstream, field by field. */
import { describe, expect, it } from 'vitest';
import type { GenerateRequest, Message } from '../contract.ts';
import { encodeRequest as encodeGemini } from '../providers/gemini/encode.ts';
import { encodeRequest as encodeOpenAi } from '../providers/openai/encode.ts';
import { checkBoundedEmbed, checkBoundedRequest } from './bounded-fields.ts';
import { imageTokens } from './image.ts';
import { promptTokens } from './price.ts';

/** Two bytes each: bytes are counted and not characters. */
const TEXT = 'ж'.repeat(5000);
const BYTES = 10_000;
const message = (more: Partial<Message>): Message => ({
  role: 'user',
  content: [{ type: 'text', text: 'hi' }],
  ...more,
});
const call = { id: 'c', name: 'f', arguments: '{}' };

const FIELDS: Readonly<Record<string, Partial<GenerateRequest>>> = {
  prompt: { prompt: TEXT },
  text: { messages: [message({ content: [{ type: 'text', text: TEXT }] })] },
  'text of a system message': {
    messages: [message({ role: 'system', content: [{ type: 'text', text: TEXT }] })],
  },
  'extra of a text': {
    messages: [message({ content: [{ type: 'text', text: 'hi', extra: { x: TEXT } }] })],
  },
  'extra of an image': {
    messages: [
      message({ content: [{ type: 'image', url: 'https://a.b/c.png', extra: { x: TEXT } }] }),
    ],
  },
  'part of another kind': {
    messages: [message({ content: [{ type: 'other', value: { type: 'x', x: TEXT } }] })],
  },
  reasoning: { messages: [message({ role: 'assistant', reasoning: TEXT })] },
  'name of a participant': { messages: [message({ name: TEXT })] },
  'id of a call': { messages: [message({ role: 'tool', toolCallId: TEXT })] },
  'extra of a message': { messages: [message({ extra: { [TEXT]: 1 } })] },
  'a call': {
    messages: [
      message({ role: 'assistant', toolCalls: [{ ...call, arguments: `{"${TEXT}":1}` }] }),
    ],
  },
  'id of an earlier call': {
    messages: [message({ role: 'assistant', toolCalls: [{ ...call, id: TEXT }] })],
  },
  'extra of a call': {
    messages: [message({ role: 'assistant', toolCalls: [{ ...call, extra: { x: TEXT } }] })],
  },
  'name of a tool': { tools: [{ name: TEXT }] },
  'description of a tool': { tools: [{ name: 'f', description: TEXT }] },
  'parameters of a tool': { tools: [{ name: 'f', parameters: { properties: { [TEXT]: {} } } }] },
  'extra of a tool': { tools: [{ name: 'f', extra: { x: TEXT } }] },
  'choice of a tool': { toolChoice: { name: TEXT } },
  'schema of the answer': { format: { type: 'schema', name: 's', schema: { description: TEXT } } },
  'name of the schema': { format: { type: 'schema', name: TEXT, schema: {} } },
  'extra of the request': { extra: { suffix: TEXT } },
  'labels for Google': { extra: { extra_body: { google: { labels: { a: TEXT } } } } },
};
const requestOf = (more: Partial<GenerateRequest>): GenerateRequest => ({
  model: 'm',
  stream: true,
  messages: [message({})],
  ...more,
});

describe('the worst case of a prompt', () => {
  it.each(Object.entries(FIELDS))('has the bytes of its %s', (_, more) => {
    expect(promptTokens(requestOf(more)).most).toBeGreaterThanOrEqual(BYTES);
  });

  it('holds for arguments and results of tools, whose numbers Gemini’s form writes out', () => {
    const numbers = `[${'1e20,'.repeat(999)}1e20]`;
    const request = requestOf({
      messages: [
        message({
          role: 'assistant',
          content: [],
          toolCalls: [{ ...call, arguments: `{"x":${numbers}}` }],
        }),
        message({ role: 'tool', toolCallId: 'c', content: [{ type: 'text', text: numbers }] }),
      ],
    });
    const sent = JSON.stringify(encodeGemini(request)['contents']).length;
    expect(sent).toBeGreaterThan(40_000);
    expect(promptTokens(request).most).toBeGreaterThanOrEqual(sent);
  });

  it('is the context of the model for parts without a size: a file, an image by its address', () => {
    const file = { type: 'other', value: { type: 'file', file: { file_id: 'f1' } } } as const;
    const request = requestOf({ messages: [message({ content: [file] })] });
    expect(promptTokens(request, 128_000).most).toBeGreaterThanOrEqual(128_000);
    expect(promptTokens(request).most).toBeGreaterThanOrEqual(2_000_000);
    const image = { type: 'image', url: 'https://a.b/c.png' } as const;
    const two = requestOf({ messages: [message({ content: [image, image] })] });
    expect(promptTokens(two, 128_000).most).toBeGreaterThanOrEqual(128_000);
    expect(promptTokens(two).most).toBeGreaterThanOrEqual(2_000_000);
  });

  it('has the tokens of each image whose size can be read', () => {
    const head = Buffer.alloc(24);
    head.write('\u0089PNG\r\n\u001A\n', 'latin1');
    head.write('IHDR', 12, 'latin1');
    head.writeUInt32BE(6000, 16);
    head.writeUInt32BE(4000, 20);
    const url = `data:image/png;base64,${head.toString('base64')}`;
    const tokens = imageTokens(url);
    const tokensOf = (count: number) => {
      const content = Array.from({ length: count }, () => ({ type: 'image', url }) as const);
      return promptTokens(requestOf({ messages: [message({ content })] }));
    };
    const [none, three] = [tokensOf(0), tokensOf(3)];
    expect(three.most - none.most).toBe(3 * tokens.most!);
    expect(three.expected - none.expected).toBe(3 * tokens.expected);
    expect(three.images).toBe(3 * tokens.expected);
  });
});

describe('fields that the contract does not know', () => {
  const sneaky = {
    model: 'dearer',
    messages: [{ role: 'user', content: TEXT }],
    prompt: TEXT,
    max_tokens: 99_999,
    max_completion_tokens: 99_999,
    n: 99,
    stream: false,
    stream_options: { include_usage: false },
    tools: [{ type: 'web_search' }],
    response_format: { type: 'text' },
    top_logprobs: 20,
    extra_body: {
      google: {
        contents: [{ parts: [{ text: TEXT }] }],
        maxOutputTokens: 99_999,
        generationConfig: { maxOutputTokens: 99_999, candidateCount: 99 },
        generation_config: { max_output_tokens: 99_999, candidate_count: 99, top_k: 7 },
        thinking_config: { thinkingBudget: 5 },
      },
    },
  };

  it.each([
    ['a limit', { maxTokens: 5 }, { max_tokens: 5 }],
    ['a limit with reasoning', { maxTokens: 5, effort: 'low' }, { max_completion_tokens: 5 }],
    ['no limit', {}, {}],
  ])('never replace a limit of the request, in OpenAI’s form with %s', (_, more, limits) => {
    const { extra_body: _google, ...openai } = sneaky;
    const { messages, ...rest } = encodeOpenAi(requestOf({ ...more, extra: openai }), true);
    expect(messages).toEqual([{ role: 'user', content: 'hi' }]);
    expect(rest).toEqual({
      model: 'm',
      ...limits,
      ...('effort' in more ? { reasoning_effort: 'low' } : {}),
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  it('never replace the parts of a message or a tool', () => {
    const request = requestOf({
      messages: [message({ extra: { role: 'system', content: TEXT } })],
      tools: [{ name: 'f', extra: { type: 'web_search', function: { name: 'g' } } }],
    });
    expect(encodeOpenAi(request, true)).toMatchObject({
      messages: [{ role: 'user', content: 'hi' }],
      tools: [{ type: 'function', function: { name: 'f' } }],
    });
  });

  it.each([[{ maxTokens: 5, choices: 2 }], [{}]])('nor in Gemini’s, with %o', (more) => {
    const { generationConfig, contents } = encodeGemini(requestOf({ ...more, extra: sneaky }));
    expect(contents).toEqual([{ role: 'user', parts: [{ text: 'hi' }] }]);
    expect(generationConfig).toEqual({
      topK: 7,
      thinkingConfig: { thinkingBudget: 5 },
      ...('maxTokens' in more ? { maxOutputTokens: 5, candidateCount: 2 } : {}),
    });
  });

  it('keep Gemini’s own tools next to the caller’s', () => {
    const google = { tools: [{ googleSearch: {} }] };
    const request = requestOf({ tools: [{ name: 'f' }], extra: { extra_body: { google } } });
    expect(encodeGemini(request)['tools']).toEqual([
      { functionDeclarations: [{ name: 'f' }] },
      { googleSearch: {} },
    ]);
  });

  const nested = (extra: object): Partial<GenerateRequest> => ({
    messages: [message({ extra: { ...extra } })],
  });
  it.each<[string, Partial<GenerateRequest>]>([
    ['service_tier', { extra: { service_tier: 'priority' } }],
    ['a_new_field', { extra: { a_new_field: 1 } }],
    ['extra_body.cached_content', { extra: { extra_body: { cached_content: 'x' } } }],
    [
      'extra_body.google.cachedContent',
      { extra: { extra_body: { google: { cached_content: 'x' } } } },
    ],
    ['extra_body.google.tools', { extra: { extra_body: { google: { tools: [{}] } } } }],
    [
      'extra_body.google.generationConfig.responseModalities',
      {
        extra: { extra_body: { google: { generationConfig: { response_modalities: ['IMAGE'] } } } },
      },
    ],
    ['messages[].audio', nested({ audio: { id: 'a' } })],
    ['tools[].cache_control', { tools: [{ name: 'f', extra: { cache_control: {} } }] }],
  ])('are refused under a budget unless they are known to cost no more: %s', (field, more) => {
    expect(() => checkBoundedRequest(requestOf(more))).toThrow(
      expect.objectContaining({
        code: 'REQUEST_INVALID',
        message: expect.stringContaining(`"${field}"`) as string,
      }),
    );
  });

  it('are sent under a budget where they cost no more than their bytes', () => {
    checkBoundedRequest(
      requestOf({
        ...nested({ annotations: [], extra_content: { google: { thought_signature: 'c2ln' } } }),
        extra: {
          user: 'u',
          extra_body: { google: { safety_settings: [], thinking_config: { thinkingBudget: 5 } } },
        },
      }),
    );
    checkBoundedEmbed({ input_type: 'query' });
    expect(() => checkBoundedEmbed({ models: ['dearer'] })).toThrow('models');
  });
});

describe('an image by its address', () => {
  const parts = (url: string) =>
    encodeGemini(requestOf({ messages: [message({ content: [{ type: 'image', url }] })] }));

  it('is sent to Gemini with its type', () => {
    expect(parts('https://a.b/c.JPG?x=1')).toMatchObject({
      contents: [
        { parts: [{ fileData: { mimeType: 'image/jpeg', fileUri: 'https://a.b/c.JPG?x=1' } }] },
      ],
    });
  });

  it.each([
    'https://www.youtube.com/watch?v=abc',
    'https://youtu.be/abc.jpg',
    'https://a.b/report.pdf',
    'https://generativelanguage.googleapis.com/v1beta/files/abc',
  ])('is refused where Gemini would read a film or a document: %s', (url) => {
    expect(() => parts(url)).toThrow(expect.objectContaining({ code: 'GENERATION_UNSUPPORTED' }));
  });
});
