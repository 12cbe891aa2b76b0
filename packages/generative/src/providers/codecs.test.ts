/** How the codecs read answers and errors in the forms of the wires. */
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { GenerateRequest, Message } from '../contract.ts';
import { requestOf } from '../testing/calls.ts';
import { faultOf } from '../wire/upstream-error.ts';
import { createDecoder as createGemini } from './gemini/decode.ts';
import { encodeRequest as encodeGemini } from './gemini/encode.ts';
import { failureOf as geminiFailure, untilMidnight } from './gemini/failure.ts';
import { createDecoder as createOpenAi } from './openai/decode.ts';
import { encodeRequest as encodeOpenAi } from './openai/encode.ts';
import { failureOf as openAiFailure } from './openai/failure.ts';
import { readSecret } from './secrets.ts';

const ASKED = { provider: 'p', model: 'big' };

const SIGNATURE = { extra_content: { google: { thought_signature: 'c2ln' } } };

const REQUEST: GenerateRequest = {
  model: 'm',
  stream: true,
  messages: [
    { role: 'system', content: [{ type: 'text', text: 'Be brief.' }] },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What is it?' },
        { type: 'image', url: 'data:image/png;base64,AAAA' },
      ],
    },
    {
      role: 'assistant',
      content: [],
      toolCalls: [
        { id: 'c1', name: 'a', arguments: '{"x":1}', extra: SIGNATURE },
        { id: 'c2', name: 'b', arguments: '{}' },
      ],
    },
    { role: 'tool', toolCallId: 'c1', content: [{ type: 'text', text: '{"y":2}' }] },
    { role: 'tool', toolCallId: 'c2', content: [{ type: 'text', text: 'plain' }] },
  ],
  tools: [{ name: 'a', parameters: { type: 'object' } }],
  toolChoice: { name: 'a' },
  sampling: { temperature: 0, topK: 3 },
  maxTokens: 9,
  format: { type: 'schema', name: 's', schema: { type: 'object' } },
  extra: { user: 'u1' },
};

describe('OpenAI’s form', () => {
  it('carries parts, calls, formats and what it does not know', () => {
    expect(encodeOpenAi(REQUEST, true)).toMatchObject({
      user: 'u1',
      max_tokens: 9,
      temperature: 0,
      stream_options: { include_usage: true },
      tool_choice: { type: 'function', function: { name: 'a' } },
      response_format: { type: 'json_schema', json_schema: { name: 's' } },
      messages: [
        { role: 'system', content: 'Be brief.' },
        { content: [{ type: 'text' }, { image_url: { url: 'data:image/png;base64,AAAA' } }] },
        { content: null, tool_calls: [{ id: 'c1', ...SIGNATURE }, { id: 'c2' }] },
        { role: 'tool', tool_call_id: 'c1', content: '{"y":2}' },
        {},
      ],
    });
  });

  const chunk = (delta: object, finish_reason: string | null = null) => ({
    choices: [{ index: 0, delta, finish_reason }],
  });

  it('separates two calls of one index by their ids, and finishes with tool_calls', () => {
    const decoder = createOpenAi('p');
    const call = (id: string) => ({
      tool_calls: [{ index: 0, id, function: { name: id, arguments: '{}' }, ...SIGNATURE }],
    });
    const events = [chunk(call('x')), chunk(call('y')), chunk({}, 'stop')].flatMap((each) =>
      decoder.decode(each),
    );
    expect(events.slice(1)).toEqual([
      { type: 'tool-call', index: 0, id: 'x', name: 'x', arguments: '{}', extra: SIGNATURE },
      { type: 'tool-call', index: 1, id: 'y', name: 'y', arguments: '{}', extra: SIGNATURE },
      { type: 'finish', reason: 'tool_calls' },
    ]);
    decoder.end();
  });

  it('reads the log probabilities of a continued prompt, which are lists side by side', () => {
    const logprobs = {
      tokens: ['A', 'B'],
      token_logprobs: [null, -0.5],
      top_logprobs: [null, { B: -0.5, C: -1 }],
    };
    const [, , event] = createOpenAi('p').decode({ choices: [{ index: 0, text: 'AB', logprobs }] });
    const top = [
      { token: 'B', logprob: -0.5 },
      { token: 'C', logprob: -1 },
    ];
    expect(event).toEqual({ type: 'logprobs', tokens: [{ token: 'B', logprob: -0.5, top }] });
  });

  it('is cut without a finish for each choice', () => {
    const decoder = createOpenAi('p');
    expect(() => decoder.end()).toThrow(expect.objectContaining({ code: 'PROVIDER_CUT' }));
    decoder.decode({
      choices: [
        { index: 0, finish_reason: 'stop' },
        { index: 1, delta: { content: 'x' } },
      ],
    });
    expect(() => decoder.end()).toThrow(expect.objectContaining({ code: 'PROVIDER_CUT' }));
  });

  it('never repeats a key that the upstream echoes, and distinguishes a spent quota from a rate', () => {
    const body = (code: string) => ({ error: { message: 'Incorrect API key: sk-secret', code } });
    const denied = openAiFailure(ASKED, 401, body('invalid_api_key'), undefined);
    expect(denied).toMatchObject({ code: 'PROVIDER_DENIED' });
    expect(denied.message).not.toContain('secret');
    expect(openAiFailure(ASKED, 429, body('insufficient_quota'), 20_000).code).toBe(
      'PROVIDER_QUOTA',
    );
    expect(openAiFailure(ASKED, 429, body('rate_limit_exceeded'), 700)).toMatchObject({
      code: 'PROVIDER_BUSY',
      retryAfterMs: 700,
    });
    // A point in time in the place of a wait, and one without an end.
    for (const wait of [1_796_000_000_000, Infinity]) {
      expect(openAiFailure(ASKED, 429, body('rate_limit_exceeded'), wait)).toMatchObject({
        code: 'PROVIDER_QUOTA',
        retryAfterMs: 31 * 86_400_000,
      });
    }
    expect(openAiFailure(ASKED, 400, body('content_filter'), undefined).code).toBe(
      'CONTENT_FILTERED',
    );
    expect(openAiFailure(ASKED, 404, '<h1>', undefined)).toMatchObject({
      code: 'PROVIDER_MODEL_UNKNOWN',
      message: expect.stringContaining('"big"') as string,
    });
  });
});

describe('Gemini’s form', () => {
  it('carries signatures back with their calls, and the answers of parallel calls in one turn', () => {
    expect(encodeGemini(REQUEST)).toEqual({
      systemInstruction: { parts: [{ text: 'Be brief.' }] },
      contents: [
        {
          role: 'user',
          parts: [{ text: 'What is it?' }, { inlineData: { mimeType: 'image/png', data: 'AAAA' } }],
        },
        {
          role: 'model',
          parts: [
            { thoughtSignature: 'c2ln', functionCall: { id: 'c1', name: 'a', args: { x: 1 } } },
            { functionCall: { id: 'c2', name: 'b', args: {} } },
          ],
        },
        {
          role: 'user',
          parts: [
            { functionResponse: { id: 'c1', name: 'a', response: { y: 2 } } },
            { functionResponse: { id: 'c2', name: 'b', response: { result: 'plain' } } },
          ],
        },
      ],
      tools: [{ functionDeclarations: [{ name: 'a', parametersJsonSchema: { type: 'object' } }] }],
      toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['a'] } },
      generationConfig: {
        temperature: 0,
        topK: 3,
        maxOutputTokens: 9,
        responseMimeType: 'application/json',
        responseJsonSchema: { type: 'object' },
      },
    });
  });

  it.each([
    ['gemini-3-flash', true],
    ['gemini-flash-latest', true],
    ['gemini-2.5-flash', false],
    ['gemma-3-27b-it', false],
  ])('marks the first call of a step of %s that no Gemini has made: %s', (model, isMarked) => {
    const call = (id: string, more = {}) => ({ id, name: id, arguments: '{}', ...more });
    const result = (toolCallId: string): Message => ({ role: 'tool', toolCallId, content: [] });
    const { contents } = encodeGemini({
      model,
      stream: false,
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'x' }] },
        { role: 'assistant', content: [], toolCalls: [call('a'), call('b')] },
        result('a'),
        result('b'),
        { role: 'assistant', content: [], toolCalls: [call('c', { extra: SIGNATURE }), call('d')] },
      ],
    }) as { contents: { parts: { thoughtSignature?: string }[] }[] };
    const mark = isMarked ? 'skip_thought_signature_validator' : undefined;
    const signatures = contents.map(({ parts }) => parts.map((part) => part.thoughtSignature));
    expect(signatures.slice(1)).toEqual([
      [mark, undefined],
      [undefined, undefined],
      ['c2ln', undefined],
    ]);
  });

  it('takes the signatures of thoughts, and gives each back to its own thought', () => {
    const decoder = createGemini('p');
    const thought = (text: string, thoughtSignature?: string) => ({
      text,
      thought: true,
      ...(thoughtSignature === undefined ? {} : { thoughtSignature }),
    });
    const chunks = [
      [thought('How '), thought('many?', 'one')],
      [thought('Two.', 'two'), { text: 'Both.', thoughtSignature: 'text' }],
    ];
    const events = chunks.flatMap((parts) =>
      decoder.decode({ candidates: [{ content: { parts } }] }),
    );
    const reasoning = events.filter((event) => event.type === 'reasoning');
    // Join the pieces as a client does: the last list counts.
    const message = {
      role: 'assistant' as const,
      content: [{ type: 'text' as const, text: 'Both.' }],
      reasoning: reasoning.map(({ text }) => text).join(''),
      extra: {
        extra_content: {
          google: {
            ...(reasoning.at(-1)!.extra!['extra_content'] as { google: object }).google,
            thought_signature: 'text',
          },
        },
      },
    };
    const sent = [thought('How many?', 'one'), thought('Two.', 'two')];
    const text = { text: 'Both.', thoughtSignature: 'text' };
    const encoded = (given: object) =>
      encodeGemini(requestOf('g', { messages: [{ ...message, ...given }] }))['contents'];
    expect(encoded({})).toEqual([{ role: 'model', parts: [...sent, text] }]);
    // A client may leave the thoughts out, and no signature of theirs becomes the text's.
    expect(encoded({ reasoning: undefined })).toEqual([{ role: 'model', parts: [text] }]);
    expect(encoded({ extra: undefined })).toEqual([{ role: 'model', parts: [{ text: 'Both.' }] }]);
  });

  it('reads thoughts, calls with signatures, usage and finishes', () => {
    const decoder = createGemini('p');
    const parts = [
      { text: 'hm', thought: true },
      { functionCall: { name: 'a', args: { x: 1 } }, thoughtSignature: 'c2ln' },
    ];
    const events = decoder.decode({
      candidates: [{ content: { parts }, finishReason: 'STOP' }],
      usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 2, thoughtsTokenCount: 7 },
    });
    expect(events.slice(1)).toMatchObject([
      { type: 'reasoning', text: 'hm' },
      { type: 'tool-call', index: 0, name: 'a', arguments: '{"x":1}', extra: SIGNATURE },
      { type: 'finish', reason: 'tool_calls' },
      { type: 'usage', usage: { inputTokens: 5, outputTokens: 9, reasoningTokens: 7 } },
    ]);
  });

  it.each([
    ['MAX_TOKENS', 'length'],
    ['SAFETY', 'content_filter'],
    ['PROHIBITED_CONTENT', 'content_filter'],
    ['IMAGE_PROHIBITED_CONTENT', 'content_filter'],
    ['MODEL_ARMOR', 'content_filter'],
  ])('finishes with %s as %s', (finishReason, reason) => {
    expect(createGemini('p').decode({ candidates: [{ finishReason }] })[1]).toMatchObject({
      reason,
    });
  });

  it('fails for a call that cannot be read and a blocked prompt', () => {
    for (const finishReason of ['MALFORMED_FUNCTION_CALL', 'MISSING_THOUGHT_SIGNATURE', 'OTHER']) {
      expect(() => createGemini('p').decode({ candidates: [{ finishReason }] })).toThrow(
        expect.objectContaining({ code: 'PROVIDER_FAILED' }),
      );
    }
    expect(() => createGemini('p').decode({ promptFeedback: { blockReason: 'SAFETY' } })).toThrow(
      expect.objectContaining({ code: 'CONTENT_FILTERED' }),
    );
  });

  it('judges a quota by its id: one of a day is shut until midnight in California, whatever the body claims', () => {
    const now = Date.UTC(2030, 0, 15, 20);
    const body = (quotaId: string) => ({
      error: {
        code: 429,
        message: 'retry in 20s',
        details: [{ violations: [{ quotaId }] }, { retryDelay: '20.5s' }],
      },
    });
    const day = geminiFailure(ASKED, 429, body('GenerateRequestsPerDayPerProject'), 1, () => now);
    expect(day).toMatchObject({ code: 'PROVIDER_QUOTA', retryAfterMs: 12 * 3_600_000 });
    expect(faultOf(day)?.quotaId).toBe('GenerateRequestsPerDayPerProject');
    const minute = geminiFailure(
      ASKED,
      429,
      body('GenerateRequestsPerMinutePerProject'),
      1,
      () => now,
    );
    expect(minute).toMatchObject({ code: 'PROVIDER_BUSY', retryAfterMs: 20_500 });
    expect(untilMidnight(now + 500, 'UTC')).toBe(4 * 3_600_000 - 500);
  });
});

it('reads secrets by reference, and names the reference alone when it cannot', async () => {
  vi.stubEnv('KEY_OF_A_TEST', ' secret \n');
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(await readSecret('env:KEY_OF_A_TEST')).toBe('secret');
  await expect(readSecret('env:NONE')).rejects.toMatchObject({
    code: 'PROVIDER_INVALID',
    message: expect.stringContaining('env:NONE'),
  });
  await expect(readSecret('file:/nowhere/at/all')).rejects.toMatchObject({
    code: 'PROVIDER_INVALID',
  });
});

it.each([
  [
    "OpenAI's",
    createOpenAi('p').decode({
      choices: [],
      usage: { prompt_tokens: 3, completion_tokens: 1e30 },
    }),
  ],
  [
    "Gemini's",
    createGemini('p').decode({
      usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 1e30 },
    }),
  ],
])('takes no count of tokens that no answer can have, in %s form', (_, decoded) => {
  expect(decoded.findLast(({ type }) => type === 'usage')).toMatchObject({
    usage: { inputTokens: 3, outputTokens: 0 },
  });
});

it('the words of a provider end as a sentence, which a fix follows', () => {
  const messageOf = (message: string) =>
    openAiFailure(ASKED, 500, { error: { message } }, undefined).message;
  expect(messageOf('boom')).toBe('Provider p: 500 boom.');
  for (const ended of ['It failed.', 'Why?', 'It wrote "no."']) {
    expect(messageOf(ended)).toBe(`Provider p: 500 ${ended}`);
  }
});
