/** Checks of models at their providers, before any request, over HTTP. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LanguageSettings } from '@skein/api';
import { expect, onTestFinished, test, vi } from 'vitest';
import { openGateway } from './gateway.ts';
import { callerOf, requestOf } from './testing/calls.ts';

type Answers = Readonly<Record<string, readonly [status: number, body: unknown]>>;

/** The model `big` over an upstream with these answers, by path. */
async function start(kind: 'openai' | 'gemini', answers: Answers, settings: object = {}) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const [status, body] = answers[request.url!] ?? [404, { error: { code: 404, message: 'no' } }];
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const gateway = await openGateway({
    settings: LanguageSettings.parse({
      providers: [{ name: 'up', kind, baseUrl, ...settings }],
      models: [{ name: 'm', routes: [{ provider: 'up', model: 'big' }], ttftMs: 20_000 }],
    }),
  });
  onTestFinished(async () => {
    await gateway.close();
    server.closeAllConnections();
    server.close();
  });
  const check = async () => {
    const [route] = await gateway.check('m');
    expect(route).toMatchObject({ provider: 'up', model: 'big' });
    return route!.problem;
  };
  return { gateway, asked, check };
}

const list = (...ids: string[]) => [200, { data: ids.map((id) => ({ id })) }] as const;

test.each([
  ['has the model', list('small', 'big')],
  ['has no list of models', [404, { error: {} }]],
  ['lists none', list()],
  ['answers with something else', [200, ['big']]],
] as const)('an upstream of OpenAI’s form that %s', async (_, answer) => {
  const { check, asked } = await start('openai', { '/models': answer });
  expect(await check()).toBeUndefined();
  expect(asked).toEqual(['GET /models']);
});

test('an upstream that lists other models, or refuses the key, with what to mend', async () => {
  const others = await start('openai', { '/models': list('small', 'tiny') });
  expect(await others.check()).toMatchObject({
    code: 'PROVIDER_MODEL_UNKNOWN',
    message: 'Provider up: it does not have the model "big": it lists small, tiny.',
  });
  const many = await start('openai', { '/models': list(...'a b c d e f g h i j'.split(' ')) });
  expect((await many.check())?.message).toMatch(/it lists a, b, c, d, e, f, g, h and 2 more\.$/);
  // Some upstreams list hundreds of models with hundreds of fields each.
  const fields = Array.from({ length: 60_000 }, () => 0);
  const long = await start('openai', { '/models': [200, { data: [{ id: 'small', fields }] }] });
  expect((await long.check())?.message).toMatch(/it lists small\.$/);
  const refused = await start('openai', { '/models': [401, { error: {} }] });
  expect(await refused.check()).toMatchObject({
    code: 'PROVIDER_DENIED',
    message: 'Provider up: 401: it refuses the key of this node for the model "big".',
  });
});

test('Gemini has a list for each model', async () => {
  const known = await start('gemini', { '/v1beta/models/big': [200, { name: 'models/big' }] });
  expect(await known.check()).toBeUndefined();
  const unknown = await start('gemini', {});
  expect(await unknown.check()).toMatchObject({ code: 'PROVIDER_MODEL_UNKNOWN' });
  expect(unknown.asked).toEqual(['GET /v1beta/models/big']);
});

test('a provider that cannot be opened, and a model that is not declared', async () => {
  const unopened = vi.fn();
  const gateway = await openGateway({
    settings: LanguageSettings.parse({
      providers: [{ name: 'up', kind: 'openai', apiKey: 'env:SKEIN_NOT_SET' }],
      models: [{ name: 'm', routes: [{ provider: 'up', model: 'big' }] }],
    }),
    unopened,
  });
  onTestFinished(() => gateway.close());
  const [route] = await gateway.check('m');
  expect(route?.problem).toMatchObject({ code: 'PROVIDER_DENIED' });
  await expect(gateway.check('other')).rejects.toMatchObject({ code: 'MODEL_UNKNOWN' });
});

test('a request meets the result of the check, and then reads why the route is away', async () => {
  const { gateway } = await start('openai', { '/chat/completions': [401, { error: {} }] });
  const ask = () => gateway.generate(requestOf('m'), callerOf());
  await expect(ask()).rejects.toMatchObject({
    code: 'PROVIDER_DENIED',
    message: expect.stringContaining('the model "big"') as string,
  });
  await expect(ask()).rejects.toMatchObject({
    code: 'PROVIDERS_UNAVAILABLE',
    message: 'Every provider of m is away: up for PROVIDER_DENIED.',
  });
});
