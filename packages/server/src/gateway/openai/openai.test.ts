/** OpenAI's API as raw requests, such as other languages send. */
import { describe, expect, test } from 'vitest';
import {
  events,
  startLanguageFaces,
  untilAborted,
  USAGE,
} from '../generative/testing/scripted-gateway.ts';
import { post, send } from '../testing/http-face.ts';
import { raw } from '../testing/http-sockets.ts';

const CHAT = '/v1/chat/completions';
const hello = { model: 'chat', messages: [{ role: 'user', content: 'Hi' }] };
const ask = (port: number, body: object, path = CHAT) =>
  send(port, path, post(JSON.stringify(body), { 'content-type': 'application/json' }));

/** The JSON of each event; the text of what is no JSON. */
const eventsOf = (text: string): unknown[] =>
  text
    .split('\n\n')
    .flatMap((event) => event.split('\n').filter((line) => line.startsWith('data: ')))
    .map((line) => line.slice(6))
    .map((data) => (data === '[DONE]' ? data : (JSON.parse(data) as unknown)));

describe('chat completions', () => {
  test('answers whole, with the counted tokens and the cost', async () => {
    const { port } = await startLanguageFaces();
    const { status, json, headers } = await ask(port, hello);
    expect(status).toBe(200);
    expect(json).toMatchObject({
      object: 'chat.completion',
      model: 'chat',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Hello', refusal: null },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: {
        prompt_tokens: 5,
        completion_tokens: 2,
        total_tokens: 7,
        prompt_tokens_details: { cached_tokens: 3 },
        cost: 0.0025,
      },
    });
    expect(headers['skein-cost-usd']).toBe('0.0025');
  });

  test('streams the role first, the finish in the last chunk, the usage without choices', async () => {
    const { port } = await startLanguageFaces();
    const request = { ...hello, stream: true, stream_options: { include_usage: true } };
    const { text, headers } = await ask(port, request);
    expect(headers['content-type']).toBe('text/event-stream; charset=utf-8');
    expect(headers['skein-cost-limit-usd']).toBe('0.01');
    const chunks = eventsOf(text);
    expect(chunks).toMatchObject([
      { choices: [{ delta: { role: 'assistant', content: '' }, finish_reason: null }] },
      { object: 'chat.completion.chunk', choices: [{ delta: { content: 'Hel' } }], usage: null },
      { choices: [{ delta: { content: 'lo' } }] },
      { choices: [{ delta: {}, finish_reason: 'stop' }] },
      { choices: [], usage: { total_tokens: 7, cost: 0.0025 } },
      '[DONE]',
    ]);
  });

  test('streams parallel calls of tools by index, with id and name once', async () => {
    const { port, gateway } = await startLanguageFaces();
    const signature = { extra_content: { google: { thought_signature: 'c2ln' } } };
    gateway.script = events(
      { type: 'tool-call', index: 0, id: 'a', name: 'weather', arguments: '', extra: signature },
      { type: 'tool-call', index: 1, id: 'b', name: 'time', arguments: '{"z' },
      { type: 'tool-call', index: 0, name: 'weather', arguments: '{"city":"Ulm"}' },
      { type: 'tool-call', index: 1, name: 'time', arguments: 'one":1}' },
      { type: 'finish', reason: 'stop' },
      { type: 'usage', usage: USAGE },
    );
    const tools = [{ type: 'function', function: { name: 'weather', parameters: {} } }];
    const streamed = eventsOf((await ask(port, { ...hello, tools, stream: true })).text);
    expect(streamed.slice(1)).toMatchObject([
      {
        choices: [
          {
            delta: {
              tool_calls: [
                {
                  index: 0,
                  id: 'a',
                  type: 'function',
                  function: { name: 'weather' },
                  ...signature,
                },
              ],
            },
          },
        ],
      },
      {
        choices: [
          { delta: { tool_calls: [{ index: 1, id: 'b', function: { arguments: '{"z' } }] } },
        ],
      },
      {
        choices: [
          { delta: { tool_calls: [{ index: 0, function: { arguments: '{"city":"Ulm"}' } }] } },
        ],
      },
      { choices: [{ delta: { tool_calls: [{ index: 1, function: { arguments: 'one":1}' } }] } }] },
      { choices: [{ finish_reason: 'tool_calls' }] },
      '[DONE]',
    ]);
    // The name is not repeated, though the provider did.
    expect(JSON.stringify(streamed).split('"weather"')).toHaveLength(2);
    const { json } = await ask(port, { ...hello, tools });
    expect(json).toMatchObject({
      choices: [
        {
          finish_reason: 'tool_calls',
          message: {
            content: null,
            tool_calls: [
              { id: 'a', function: { name: 'weather', arguments: '{"city":"Ulm"}' }, ...signature },
              { id: 'b', function: { name: 'time', arguments: '{"zone":1}' } },
            ],
          },
        },
      ],
    });
  });

  test('passes the whole conversation on, with what it has no word for', async () => {
    const { port, gateway } = await startLanguageFaces();
    const image = 'data:image/png;base64,iVBORw0KGgo=';
    await ask(port, {
      model: 'chat',
      messages: [
        { role: 'developer', content: 'Be short.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is this?' },
            { type: 'image_url', image_url: { url: image, detail: 'low' } },
          ],
        },
        {
          role: 'assistant',
          content: null,
          tool_calls: [
            {
              id: 'a',
              type: 'function',
              function: { name: 'look', arguments: '{}' },
              extra_content: { google: { thought_signature: 'c2ln' } },
            },
          ],
        },
        { role: 'tool', tool_call_id: 'a', content: 'a cat' },
      ],
      tools: [{ type: 'function', function: { name: 'look', parameters: { type: 'object' } } }],
      tool_choice: { type: 'function', function: { name: 'look' } },
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'animal', schema: { type: 'object' }, strict: true },
      },
      temperature: 0.5,
      seed: 7,
      stop: 'END',
      n: 2,
      max_tokens: 9,
      logprobs: true,
      top_logprobs: 3,
      reasoning_effort: 'low',
      logit_bias: { 7: -100 },
    });
    expect(gateway.requests[0]).toMatchObject({
      messages: [
        { role: 'system', content: [{ type: 'text', text: 'Be short.' }] },
        {
          role: 'user',
          content: [{ type: 'text' }, { type: 'image', url: image, extra: { detail: 'low' } }],
        },
        {
          role: 'assistant',
          content: [],
          toolCalls: [
            {
              id: 'a',
              name: 'look',
              extra: { extra_content: { google: { thought_signature: 'c2ln' } } },
            },
          ],
        },
        { role: 'tool', toolCallId: 'a', content: [{ text: 'a cat' }] },
      ],
      tools: [{ name: 'look', parameters: { type: 'object' } }],
      toolChoice: { name: 'look' },
      format: { type: 'schema', name: 'animal', strict: true },
      sampling: { temperature: 0.5, seed: 7 },
      stop: ['END'],
      choices: 2,
      maxTokens: 9,
      logprobs: 3,
      effort: 'low',
      extra: { logit_bias: { 7: -100 } },
    });
  });

  test('answers several choices with their log probabilities', async () => {
    const { port, gateway } = await startLanguageFaces();
    gateway.script = events(
      { type: 'text', text: 'A', choice: 0 },
      {
        type: 'logprobs',
        tokens: [{ token: 'A', logprob: -0.5, top: [{ token: 'B', logprob: -1 }] }],
      },
      { type: 'text', text: 'B', choice: 1 },
      { type: 'finish', reason: 'length', choice: 1 },
      { type: 'finish', reason: 'stop' },
    );
    expect((await ask(port, { ...hello, n: 2 })).json).toMatchObject({
      choices: [
        {
          message: { content: 'A' },
          logprobs: {
            content: [
              {
                token: 'A',
                logprob: -0.5,
                bytes: [65],
                top_logprobs: [{ token: 'B', bytes: [66] }],
              },
            ],
          },
        },
        { index: 1, message: { content: 'B' }, finish_reason: 'length' },
      ],
    });
    const chunks = eventsOf((await ask(port, { ...hello, n: 2, stream: true })).text);
    const [, last] = chunks.slice(-3) as { choices: { index: number; finish_reason: string }[] }[];
    expect(last).toMatchObject({ choices: [{ index: 0, finish_reason: 'stop' }] });
  });

  test('says in the stream that it broke, and never ends like a whole answer', async () => {
    const { port, gateway } = await startLanguageFaces();
    gateway.script = async function* () {
      yield { type: 'text', text: 'Hel' };
      const { SkeinError } = await import('@skein/api');
      throw new SkeinError('UPSTREAM_CUT', 'The provider "scripted" ended in the middle.');
    };
    const body = JSON.stringify({ ...hello, stream: true });
    const client = raw(port);
    client.socket.write(
      `POST ${CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const answer = await client.closed;
    expect(answer).toContain('"content":"Hel"');
    expect(answer).toMatch(
      /data: \{"error":\{.*"type":"server_error".*"skein_code":"UPSTREAM_CUT"/,
    );
    expect(answer).not.toContain('[DONE]');
    // The last chunk of HTTP, which would make it whole, is missing.
    expect(answer).not.toMatch(/\r\n0\r\n\r\n$/);
    const whole = await ask(port, hello);
    expect(whole.status).toBe(502);
    expect(whole.json).toMatchObject({ error: { skein_code: 'UPSTREAM_CUT' } });
  });

  test('a client that leaves ends the generation', async () => {
    const { port, gateway, access } = await startLanguageFaces();
    gateway.script = async function* (_, { signal }) {
      yield { type: 'text', text: 'Hel' };
      await untilAborted(signal);
    };
    const leaving = new AbortController();
    const response = await fetch(`http://127.0.0.1:${port}${CHAT}`, {
      method: 'POST',
      body: JSON.stringify({ ...hello, stream: true }),
      signal: leaving.signal,
    });
    const reader = response.body!.getReader();
    await reader.read();
    expect(access.inFlight).toBe(1);
    leaving.abort();
    await expect.poll(() => gateway.cancelled).toBe(1);
    await expect.poll(() => access.inFlight).toBe(0);
  });

  test('a key that is revoked ends its stream', async () => {
    const { port, gateway, access } = await startLanguageFaces();
    gateway.script = async function* (_, { signal }) {
      yield { type: 'text', text: 'Hel' };
      await untilAborted(signal);
    };
    const client = raw(port);
    const body = JSON.stringify({ ...hello, stream: true });
    client.socket.write(
      `POST ${CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await client.until(/Hel/);
    access.endKeys();
    expect(await client.closed).toMatch(/"type":"authentication_error".*"code":"invalid_api_key"/);
  });
});

describe('errors', () => {
  test.each([
    ['no model', {}, 'model', 'must be a string'],
    ['no messages', { model: 'chat' }, 'messages', 'must be a list'],
    ['an empty conversation', { model: 'chat', messages: [] }, 'messages', 'at least one'],
    ['an unknown role', { ...hello, messages: [{ role: 'boss' }] }, 'messages[0].role', 'one of'],
    [
      'half a surrogate',
      { ...hello, messages: [{ role: 'user', content: '\ud83d' }] },
      'messages[0].content',
      'surrogate',
    ],
    [
      'an image that is none',
      {
        ...hello,
        messages: [
          {
            role: 'user',
            content: [{ type: 'image_url', image_url: { url: 'file:///etc/passwd' } }],
          },
        ],
      },
      'messages[0].content[0].image_url.url',
      'https',
    ],
    [
      'a thousand tools',
      {
        ...hello,
        tools: Array.from({ length: 1000 }, (_, n) => ({
          type: 'function',
          function: { name: `t${n}` },
        })),
      },
      'tools',
      '1000 elements',
    ],
    [
      'a tool twice',
      {
        ...hello,
        tools: [1, 2].map(() => ({ type: 'function', function: { name: 'same' } })),
      },
      'tools',
      'twice',
    ],
    [
      'a schema that leads to itself',
      {
        ...hello,
        tools: [
          {
            type: 'function',
            function: {
              name: 't',
              parameters: {
                $ref: '#/$defs/a',
                $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } },
              },
            },
          },
        ],
      },
      'tools[0].function.parameters',
      'leads to itself',
    ],
    [
      'a huge schema',
      {
        ...hello,
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'x', schema: { description: 'x'.repeat(70_000) } },
        },
      },
      'response_format.json_schema.schema',
      'at most',
    ],
    ['stop strings', { ...hello, stop: Array.from({ length: 17 }, String) }, 'stop', '17 elements'],
    ['no tokens', { ...hello, max_tokens: -1 }, 'max_tokens', 'whole number'],
    ['too many choices', { ...hello, n: 9 }, 'n', 'from 1 to 8'],
    ['a temperature', { ...hello, temperature: 'hot' }, 'temperature', 'number'],
  ] as const)('refuses %s and names the field', async (_, body, param, words) => {
    const { port } = await startLanguageFaces();
    const { status, json, headers } = await ask(port, body);
    expect(status).toBe(400);
    expect(json).toMatchObject({
      error: {
        type: 'invalid_request_error',
        code: 'request_invalid',
        param,
        skein_code: 'REQUEST_INVALID',
      },
    });
    expect((json as { error: { message: string } }).error.message).toContain(words);
    expect(headers['x-should-retry']).toBe('false');
  });

  test('takes a schema that refers to itself below a property', async () => {
    const { port } = await startLanguageFaces();
    const schema = { type: 'object', properties: { next: { $ref: '#' } } };
    const format = { type: 'json_schema', json_schema: { name: 'list', schema } };
    expect((await ask(port, { ...hello, response_format: format })).status).toBe(200);
  });

  test('refuses 100,000 stop strings and bytes that are no UTF-8 before it reads them', async () => {
    const { port } = await startLanguageFaces();
    const stops = await ask(port, { ...hello, stop: Array.from({ length: 100_000 }, String) });
    expect([stops.status, stops.json]).toMatchObject([400, { error: { code: 'request_invalid' } }]);
    const bytes = Buffer.from('{"model":"chat","messages":"\xff"}', 'latin1');
    expect((await send(port, CHAT, post(bytes))).json).toMatchObject({
      error: { type: 'invalid_request_error', code: 'body_not_json' },
    });
  });

  test('names unknown models and paths as OpenAI does', async () => {
    const { port } = await startLanguageFaces();
    const unknown = await ask(port, { ...hello, model: 'gpt-9' });
    expect(unknown.status).toBe(404);
    expect(unknown.json).toMatchObject({ error: { code: 'model_not_found', param: 'model' } });
    expect((await send(port, '/v1/files')).json).toMatchObject({
      error: { code: 'route_unknown' },
    });
    expect((await send(port, CHAT)).status).toBe(405);
    expect((await send(port, '/v1/models/gpt-9')).status).toBe(404);
  });

  test('asks for a key with the scope', async () => {
    const { fakeAccess } = await import('../../testing/fake-inference.ts');
    const access = fakeAccess({ r: ['read'], i: ['infer'] });
    const { port } = await startLanguageFaces({ access } as object);
    const as = (key: string) =>
      send(port, CHAT, post(JSON.stringify(hello), { authorization: `Bearer ${key}` }));
    expect((await as('i')).status).toBe(200);
    expect((await as('r')).json).toMatchObject({
      error: { type: 'permission_error', code: 'scope_missing' },
    });
    expect((await as('x')).json).toMatchObject({
      error: { type: 'authentication_error', code: 'invalid_api_key' },
    });
  });

  test('says when to come back, and whether that is worth it', async () => {
    const { SkeinError } = await import('@skein/api');
    const { port, gateway } = await startLanguageFaces();
    gateway.generate = async () => {
      throw new SkeinError('DEADLINE_UNREACHABLE', 'The queue is long.', { retryAfterMs: 1500 });
    };
    const soon = await ask(port, hello);
    expect(soon.status).toBe(503);
    expect(soon.headers).toMatchObject({
      'retry-after': '2',
      'retry-after-ms': '1500',
      'x-should-retry': 'true',
    });
    gateway.generate = async () => {
      throw new SkeinError('UPSTREAM_QUOTA', 'The quota is spent.');
    };
    const late = await ask(port, hello);
    expect(late.json).toMatchObject({
      error: { type: 'insufficient_quota', code: 'insufficient_quota' },
    });
    expect(late.headers['x-should-retry']).toBe('false');
  });
});

describe('the other endpoints', () => {
  test('lists the models', async () => {
    const { port } = await startLanguageFaces();
    const model = { id: 'chat', object: 'model', created: 1767225600, owned_by: 'scripted' };
    expect((await send(port, '/v1/models')).json).toEqual({ object: 'list', data: [model] });
    expect((await send(port, '/v1/models/chat')).json).toEqual(model);
  });

  test('continues a prompt', async () => {
    const { port, gateway } = await startLanguageFaces();
    const body = { model: 'chat', prompt: ['Once'], max_tokens: 2 };
    expect((await ask(port, body, '/v1/completions')).json).toMatchObject({
      object: 'text_completion',
      choices: [{ text: 'Hello', index: 0, finish_reason: 'stop' }],
    });
    expect(gateway.requests[0]).toMatchObject({ prompt: 'Once', messages: [], maxTokens: 2 });
    const { text } = await ask(port, { ...body, stream: true }, '/v1/completions');
    expect(eventsOf(text)).toMatchObject([
      { choices: [{ text: 'Hel', finish_reason: null }] },
      { choices: [{ text: 'lo' }] },
      { choices: [{ text: '', finish_reason: 'stop' }] },
      '[DONE]',
    ]);
  });

  test('embeds, in base64 and as numbers', async () => {
    const { port } = await startLanguageFaces();
    const body = { model: 'chat', input: ['ab', 'c'], encoding_format: 'base64' };
    const { json } = await ask(port, body, '/v1/embeddings');
    const expected = Buffer.from(Float32Array.of(2, 0.5, -0.25).buffer).toString('base64');
    expect(json).toMatchObject({
      data: [{ index: 0, embedding: expected }, { index: 1 }],
      usage: { prompt_tokens: 5 },
    });
    const floats = await ask(port, { model: 'chat', input: 'abc' }, '/v1/embeddings');
    expect(floats.json).toMatchObject({ data: [{ embedding: [3, 0.5, -0.25] }] });
    const tokens = await ask(port, { model: 'chat', input: [[1, 2]] }, '/v1/embeddings');
    expect(tokens.json).toMatchObject({ error: { param: 'input' } });
  });

  test('embeds with a deployed text encoder', async () => {
    const { port, inference } = await startLanguageFaces();
    inference.answer = ({ inputs }) => {
      const texts = inputs.get('text');
      const values =
        texts?.type === 'string' ? texts.elements.flatMap((each) => [each.length, 1]) : [];
      const bytes = new Uint8Array(Float32Array.from(values).buffer);
      return new Map([['vector', { type: 'float32', shape: [values.length / 2, 2], bytes }]]);
    };
    const { json } = await ask(port, { model: 'encoder', input: ['ä', 'bcd'] }, '/v1/embeddings');
    expect(json).toMatchObject({
      model: 'encoder',
      data: [{ embedding: [2, 1] }, { embedding: [3, 1] }],
    });
    const other = await ask(port, { model: 'echo', input: 'x' }, '/v1/embeddings');
    expect(other.status).toBe(404);
  });
});

describe('responses', () => {
  const ENDPOINT = '/v1/responses';

  test('answers whole and stores nothing', async () => {
    const { port, gateway } = await startLanguageFaces();
    const { json } = await ask(
      port,
      { model: 'chat', input: 'Hi', instructions: 'Be short.' },
      ENDPOINT,
    );
    expect(json).toMatchObject({
      object: 'response',
      status: 'completed',
      store: false,
      output: [
        { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Hello' }] },
      ],
      usage: { input_tokens: 5, output_tokens: 2, total_tokens: 7 },
    });
    expect(gateway.requests[0]?.messages).toMatchObject([{ role: 'system' }, { role: 'user' }]);
    const stored = await ask(
      port,
      { model: 'chat', input: 'Hi', previous_response_id: 'resp_1' },
      ENDPOINT,
    );
    expect(stored.json).toMatchObject({
      error: { param: 'previous_response_id', code: 'generation_unsupported' },
    });
  });

  test('streams its events in order, each with its number', async () => {
    const { port, gateway } = await startLanguageFaces();
    gateway.script = events(
      { type: 'reasoning', text: 'Hm' },
      { type: 'text', text: 'Hel' },
      { type: 'text', text: 'lo' },
      { type: 'tool-call', index: 0, id: 'a', name: 'look', arguments: '{}' },
      { type: 'finish', reason: 'tool_calls' },
      { type: 'usage', usage: USAGE },
    );
    const { text } = await ask(port, { model: 'chat', input: 'Hi', stream: true }, ENDPOINT);
    const list = eventsOf(text) as { type: string; sequence_number: number; response?: object }[];
    expect(list.map(({ type }) => type.replace('response.', ''))).toEqual([
      'created',
      'in_progress',
      'output_item.added',
      'reasoning_summary_text.delta',
      'output_item.added',
      'content_part.added',
      'output_text.delta',
      'output_text.delta',
      'output_item.added',
      'function_call_arguments.delta',
      'reasoning_summary_text.done',
      'output_item.done',
      'output_text.done',
      'content_part.done',
      'output_item.done',
      'function_call_arguments.done',
      'output_item.done',
      'completed',
    ]);
    expect(list.map(({ sequence_number: number }) => number)).toEqual(
      list.map((_, index) => index),
    );
    expect(list.at(-1)).toMatchObject({
      response: {
        status: 'completed',
        output: [
          { type: 'reasoning', summary: [{ text: 'Hm' }] },
          { type: 'message', content: [{ text: 'Hello' }] },
          {
            type: 'function_call',
            call_id: 'a',
            name: 'look',
            arguments: '{}',
            status: 'completed',
          },
        ],
      },
    });
  });

  test('an answer that hits its limit is incomplete; one that breaks has failed', async () => {
    const { port, gateway } = await startLanguageFaces();
    gateway.script = events({ type: 'text', text: 'Hel' }, { type: 'finish', reason: 'length' });
    const body = { model: 'chat', input: 'Hi' };
    expect((await ask(port, body, ENDPOINT)).json).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
    });
    gateway.script = events({ type: 'text', text: 'Hel' });
    const cut = JSON.stringify({ ...body, stream: true });
    const client = raw(port);
    client.socket.write(
      `POST ${ENDPOINT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${cut.length}\r\n\r\n${cut}`,
    );
    const answer = await client.closed;
    expect(answer).toMatch(/event: error\n/);
    expect(answer).toMatch(/event: response.failed\n.*"status":"failed"/);
    expect(answer).not.toContain('response.completed');
  });

  test('takes the items of a conversation with tools', async () => {
    const { port, gateway } = await startLanguageFaces();
    await ask(
      port,
      {
        model: 'chat',
        input: [
          { role: 'user', content: [{ type: 'input_text', text: 'Hi' }] },
          { type: 'reasoning', summary: [] },
          { type: 'function_call', call_id: 'a', name: 'look', arguments: '{}' },
          { type: 'function_call', call_id: 'b', name: 'look', arguments: '{}' },
          { type: 'function_call_output', call_id: 'a', output: 'a cat' },
        ],
        tools: [{ type: 'function', name: 'look', parameters: { type: 'object' }, strict: true }],
        tool_choice: 'required',
        text: { format: { type: 'json_schema', name: 'x', schema: {}, strict: true } },
      },
      ENDPOINT,
    );
    expect(gateway.requests[0]).toMatchObject({
      messages: [
        { role: 'user' },
        { role: 'assistant', toolCalls: [{ id: 'a' }, { id: 'b' }] },
        { role: 'tool', toolCallId: 'a', content: [{ text: 'a cat' }] },
      ],
      tools: [{ name: 'look', strict: true }],
      toolChoice: 'required',
      format: { type: 'schema', name: 'x' },
    });
  });
});
