/** How an operator declares language models, and what a node keeps, shows and writes down of them. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Client, createClient } from '@skein/api/client';
import { issueToken } from '@skein/http';
import { expect, onTestFinished, test } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { startTestNode } from '../testing/test-node.ts';
import { startLanguageNode } from './testing/language-node.ts';
import { startUpstream } from './testing/upstream.ts';

const user = (content: string) => ({ role: 'user', content });
const ask = (url: string, body: object, headers: Record<string, string> = {}) =>
  fetch(`${url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify(body), headers });

test('declarations are checked, survive a restart, and name secrets without holding them', async () => {
  const upstream = await startUpstream();
  onTestFinished(() => upstream.close());
  const first = await startTestNode();
  const dataFolder = join(first.folder, '.skein');
  const secret = join(first.folder, 'key');
  const provider = { name: 'up', kind: 'openai', baseUrl: upstream.url } as const;
  const { client } = first;
  await expect(
    client.putProvider({ ...provider, apiKey: 'env:SKEIN_TEST_MISSING' }),
  ).rejects.toMatchObject({
    code: 'PROVIDER_INVALID',
    message: expect.stringContaining('env:SKEIN_TEST_MISSING') as string,
  });
  await expect(
    client.putLanguageModel({ name: 'a', routes: [{ provider: 'up', model: 'x' }] }),
  ).rejects.toMatchObject({ code: 'PROVIDER_INVALID' });
  await writeFile(secret, 'sk-very-secret\n');
  for (const baseUrl of ['http://me:it@127.0.0.1/v1', 'http://127.0.0.1/v1?api-version=1']) {
    await expect(client.putProvider({ ...provider, baseUrl })).rejects.toMatchObject({
      code: 'PROVIDER_INVALID',
    });
  }
  for (const headers of [{ 'x-a': 'b\r\nc: d' }, { 'a b': 'c' }, { 'Content-Length': '5' }]) {
    const [name = ''] = Object.keys(headers);
    await expect(client.putProvider({ ...provider, headers })).rejects.toMatchObject({
      code: 'PROVIDER_INVALID',
      message: expect.stringContaining(name) as string,
    });
  }
  await client.putProvider({ ...provider, apiKey: `file:${secret}` });
  await client.putLanguageModel({
    name: 'team/a',
    routes: [{ provider: 'up', model: 'big' }],
    ttftMs: 20_000,
  });
  await expect(client.removeProvider({ name: 'up' })).rejects.toMatchObject({
    code: 'PROVIDER_INVALID',
  });
  await expect(client.putBudget({ subject: 'all', period: 'day', usd: -1 })).rejects.toMatchObject({
    code: 'REQUEST_INVALID',
  });

  const second = await startTestNode({ dataFolder: join(first.folder, 'other') });
  onTestFinished(() => second.close());
  expect((await second.client.getLanguageModels()).settings.models).toEqual([]);

  const asked = await ask(first.url, { model: 'team/a', messages: [user('Hi')] });
  expect(await asked.json()).toMatchObject({ choices: [{ message: { content: 'Hello there' } }] });
  expect(upstream.keys).toEqual(['Bearer sk-very-secret']);
  const view = await client.getLanguageModels();
  expect(JSON.stringify(view)).not.toContain('sk-very-secret');
  expect(
    (await readFile(join(dataFolder, 'state.db')).catch(() => Buffer.alloc(0))).includes('sk-very'),
  ).toBe(false);

  await client.removeLanguageModel({ name: 'team/a' });
  expect((await ask(first.url, { model: 'team/a', messages: [user('Hi')] })).status).toBe(404);
  await client.removeProvider({ name: 'up' });
  expect((await client.getLanguageModels()).settings.providers).toEqual([]);
  await first.close();
});

test('a provider whose secret is gone keeps a node from nothing else', async () => {
  const upstream = await startUpstream();
  onTestFinished(() => upstream.close());
  const folder = testFolder();
  const dataFolder = join(folder, '.skein');
  const secret = join(folder, 'key');
  await writeFile(secret, 'sk-1');
  const first = await startTestNode({ dataFolder });
  const baseUrl = upstream.url;
  await first.client.putBudget({ subject: 'all', period: 'day', usd: 5 });
  expect((await first.client.getLanguageModels()).budgets).toMatchObject([{ limit: 5 }]);
  for (const [name, apiKey] of [
    ['keyed', `file:${secret}`],
    ['open', undefined],
  ] as const) {
    await first.client.putProvider({ name, kind: 'openai', baseUrl, apiKey });
    const routes = [{ provider: name, model: 'x' }];
    await first.client.putLanguageModel({ name: `by-${name}`, routes, ttftMs: 20_000 });
  }
  await first.close();
  await rm(secret);

  const second = await startTestNode({ dataFolder });
  onTestFinished(() => second.close());
  const hello = { messages: [user('Hi')] };
  expect((await ask(second.url, { model: 'by-open', ...hello })).status).toBe(200);
  const refused = await ask(second.url, { model: 'by-keyed', ...hello });
  expect(await refused.json()).toMatchObject({ error: { skein_code: 'PROVIDER_DENIED' } });
  const view = await second.client.getLanguageModels();
  expect(view.problem).toBe(
    `Provider keyed: The secret file:${secret} cannot be read, or is empty.`,
  );
  expect(view.budgets).toMatchObject([{ limit: 5 }]);
  await second.client.putProvider({ name: 'open', kind: 'openai', baseUrl });
  await writeFile(secret, 'sk-2');
  await second.client.putProvider({
    name: 'keyed',
    kind: 'openai',
    baseUrl,
    apiKey: `file:${secret}`,
  });
  expect((await ask(second.url, { model: 'by-keyed', ...hello })).status).toBe(200);
  expect(await second.client.getLanguageModels()).not.toHaveProperty('problem');
});

test('keys, allow-lists, budgets, cost, metrics and the audit', async () => {
  const { token: admin } = issueToken();
  const started = await startLanguageNode(admin);
  onTestFinished(() => started.close());
  const { node, client } = started;
  const shop = await client.createKey({ label: 'shop', tenant: 'shop', scopes: ['infer'] });
  const reader = await client.createKey({ label: 'r', tenant: 'shop', scopes: ['read'] });
  const as = (secret: string) => ({ authorization: `Bearer ${secret}` });
  const hello = { model: 'assistant', messages: [user('Hi')] };

  expect((await ask(node.url, hello)).status).toBe(401);
  expect((await ask(node.url, hello, as(reader.secret))).status).toBe(403);
  const paid = await ask(node.url, hello, as(shop.secret));
  expect(paid.status).toBe(200);
  // 7 tokens at $1 and 3 at $10 a million.
  expect(Number(paid.headers.get('skein-cost-usd'))).toBeCloseTo(37e-6, 9);

  await client.putTenantProviders({ tenant: 'shop', providers: [] });
  expect((await ask(node.url, hello, as(shop.secret))).status).toBe(403);
  await client.removeTenantProviders({ tenant: 'shop' });
  await client.putBudget({ subject: 'tenant:shop', period: 'day', usd: 0.000001 });
  const refused = await ask(node.url, hello, as(shop.secret));
  expect([refused.status, await refused.clone().text()]).toEqual([429, expect.any(String)]);
  expect(await refused.json()).toMatchObject({ error: { code: 'insufficient_quota' } });
  expect(refused.headers.get('x-should-retry')).toBe('false');

  const metrics = await (await fetch(`${node.url}/metrics`, { headers: as(admin) })).text();
  expect(metrics).toContain(
    'skein_language_requests_total{model="assistant",provider="up",code="ok"} 1',
  );
  expect(metrics).toContain(
    'skein_language_tokens_total{model="assistant",provider="up",type="output"} 3',
  );
  const baseUrl = 'http://127.0.0.1:9/v1';
  const headers = { 'x-api-key': 'very secret' };
  await client.putProvider({ name: 'other', kind: 'openai', baseUrl, headers });
  const seenBy = async (from: Client) =>
    (await from.getLanguageModels()).settings.providers.find(({ name }) => name === 'other');
  expect(await seenBy(client)).toMatchObject({ headers });
  const looking = createClient({ url: node.url, key: reader.secret });
  expect(await seenBy(looking)).toMatchObject({ headers: { 'x-api-key': '[hidden]' } });

  const { use } = await client.getLanguageModels();
  expect(use).toContainEqual(
    expect.objectContaining({ model: 'assistant', provider: 'up', requests: 1 }),
  );
});

test('a spent quota of a day is remembered over a change of the declarations', async () => {
  const { node, upstream, client, ...language } = await startLanguageNode();
  onTestFinished(() => language.close());
  upstream.refusals = 9;
  upstream.retryAfterMs = 3_600_000;
  const body = { model: 'assistant', messages: [user('busy')] };
  expect((await ask(node.url, body)).status).toBe(429);
  await client.putBudget({ subject: 'tenant:other', period: 'day', usd: 1 });
  await client.putLanguageModel({
    name: 'assistant',
    routes: [{ provider: 'up', model: 'big' }],
    ttftMs: 15_000,
  });
  const refused = await ask(node.url, body);
  expect(refused.status).toBe(503);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(3500);
  expect(upstream.bodies).toHaveLength(1);
  // Another upstream has quotas of its own.
  await client.putProvider({ name: 'up', kind: 'openai', baseUrl: `${upstream.url}/` });
  expect((await ask(node.url, body)).status).toBe(429);
});

test('redactions, in prompts before the upstream and in streams before the caller', async () => {
  const started = await startLanguageNode();
  onTestFinished(() => started.close());
  const { node, client, upstream } = started;
  await client.putRedaction({ name: 'city', pattern: 'berlin|ulm', ignoreCase: true });
  await client.putRedaction({ name: 'there', pattern: 'o th', of: 'answers', replacement: '~' });
  expect((await client.getLanguageModels()).settings.redactions).toHaveLength(2);
  const bad = client.putRedaction({ name: 'bad', pattern: '(a' });
  await expect(bad).rejects.toMatchObject({ code: 'REQUEST_INVALID' });

  const body = { model: 'assistant', messages: [user('Hi from Ulm')], stream: true };
  const answer = await ask(node.url, body);
  expect(answer.headers.get('skein-redacted')).toBe('1');
  const deltas = (await answer.text()).matchAll(/"content":"([^"]*)"/g);
  // The upstream sends "Hello " and "there".
  expect([...deltas].map(([, text]) => text).join('')).toBe('Hell~ere');
  expect(upstream.bodies.at(-1)?.messages[0]).toMatchObject({ content: 'Hi from [city]' });

  await client.removeRedaction({ name: 'city' });
  await client.removeRedaction({ name: 'there' });
  expect(await (await ask(node.url, { ...body, stream: false })).text()).toContain('Hello there');
  expect(upstream.bodies.at(-1)?.messages[0]).toMatchObject({ content: 'Hi from Ulm' });
});
