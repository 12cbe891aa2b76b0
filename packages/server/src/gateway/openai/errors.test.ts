/** Refusals in the shape of OpenAI's errors. */
import { describe, expect, test } from 'vitest';
import { startLanguageFaces } from '../language/testing/scripted-gateway.ts';
import { post, send } from '../testing/http-face.ts';
import { CHAT, ask, hello } from './testing/calls.ts';

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
    [
      'alternatives of no log probabilities',
      { ...hello, top_logprobs: 2 },
      'top_logprobs',
      'logprobs',
    ],
    [
      'two limits',
      { ...hello, max_tokens: 5, max_completion_tokens: 9 },
      'max_tokens',
      'one of both',
    ],
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

  test.each([
    ['/v1/responses', { max_tokens: 9 }, 'max_tokens'],
    ['/v1/responses', { max_completion_tokens: 9 }, 'max_completion_tokens'],
    ['/v1/responses', { n: 2 }, 'n'],
    ['/v1/completions', { max_completion_tokens: 9 }, 'max_completion_tokens'],
    ['/v1/completions', { best_of: 3 }, 'best_of'],
    ['/v1/completions', { best_of: 3, n: 2 }, 'best_of'],
  ])('%s refuses %o, by which an upstream would generate more', async (path, more, param) => {
    const { port, gateway } = await startLanguageFaces();
    const body = { model: 'chat', input: 'Hi', prompt: 'Hi', ...more };
    const { prompt: _, ...response } = body;
    const answer = await ask(port, path === '/v1/responses' ? response : body, path);
    expect([answer.status, answer.json]).toMatchObject([400, { error: { param } }]);
    expect(gateway.requests).toEqual([]);
    const equal = await ask(
      port,
      { model: 'chat', prompt: 'Hi', n: 2, best_of: 2 },
      '/v1/completions',
    );
    expect(equal.status).toBe(200);
    expect(gateway.requests).toMatchObject([{ choices: 2, extra: undefined }]);
  });

  test('takes a schema that refers to itself below a property, by each form of a reference', async () => {
    const { port } = await startLanguageFaces();
    const references = ['#', '#/$defs/a%20b', '#/$defs/any', '#anchor'];
    const schema = {
      type: 'object',
      properties: Object.fromEntries(references.map(($ref) => [$ref, { $ref }])),
      $defs: { 'a b': { type: 'string', $anchor: 'anchor' }, any: true },
    };
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
    for (const path of ['/v1/models/gpt-9', '/v1beta/models/gpt-9']) {
      const { status, json } = await send(port, path);
      expect(status).toBe(404);
      expect(JSON.stringify(json)).toContain('There is no model');
    }
    const escaped = await send(port, '/v1/models/%ZZ');
    expect([escaped.status, escaped.json]).toMatchObject([
      400,
      { error: { code: 'request_invalid' } },
    ]);
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

  test('names the time for a retry, and whether a retry is worth it', async () => {
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
      throw new SkeinError('PROVIDER_QUOTA', 'The quota is spent.');
    };
    const late = await ask(port, hello);
    expect(late.json).toMatchObject({
      error: { type: 'insufficient_quota', code: 'insufficient_quota' },
    });
    expect(late.headers['x-should-retry']).toBe('false');
  });

  test('lets the pages of an allowed origin read what clients act on, and the cost', async () => {
    const { SkeinError } = await import('@skein/api');
    const origin = 'https://app.example.com';
    const { port, gateway } = await startLanguageFaces({ allowedOrigins: [origin] });
    const asking = () => send(port, CHAT, post(JSON.stringify(hello), { origin }));
    const answers = [await asking()];
    gateway.generate = async () => {
      throw new SkeinError('DEADLINE_UNREACHABLE', 'The queue is long.', { retryAfterMs: 1500 });
    };
    answers.push(await asking());
    for (const { headers } of answers) {
      const exposed = headers['access-control-expose-headers']?.toLowerCase().split(', ');
      const own = Object.keys(headers).filter((name) => /^(skein|retry|x-should)/.test(name));
      expect(own.length).toBeGreaterThan(1);
      expect(exposed).toEqual(expect.arrayContaining(own));
    }
  });

  test('a body of more than 16 MiB, whatever the node takes elsewhere', async () => {
    const { port } = await startLanguageFaces();
    const large = await ask(port, { ...hello, note: 'a'.repeat(16 * 2 ** 20) });
    expect(large.status).toBe(413);
    expect(large.json).toMatchObject({ error: { message: expect.stringContaining('16777216') } });
  });
});
