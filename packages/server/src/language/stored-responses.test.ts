/** Stored responses, as the official client of OpenAI reads, continues and removes them. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@skein/api/client';
import { issueToken } from '@skein/http';
import OpenAI from 'openai';
import { expect, onTestFinished, test } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { startFleet } from '../testing/fleet.ts';
import { type LanguageNode, startLanguageNode } from './testing/language-node.ts';
import { startUpstream, type Upstream } from './testing/upstream.ts';

const model = 'assistant';
const openai = (url: string, apiKey = 'none') =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
const keyOf = async (client: Client, tenant: string): Promise<string> =>
  (await client.createKey({ label: tenant, tenant, scopes: ['infer'] })).secret;
/** The last request of the upstream, as `role: text`. */
const askedOf = ({ bodies }: Upstream): string[] =>
  bodies.at(-1)!.messages.map(({ role, content }) => `${role}: ${JSON.stringify(content)}`);

async function start(...given: Parameters<typeof startLanguageNode>): Promise<LanguageNode> {
  const started = await startLanguageNode(...given);
  onTestFinished(() => started.close());
  return started;
}

test('are off by default, and every answer states it', async () => {
  const { node } = await start();
  const client = openai(node.url);
  const answer = await client.responses.create({ model, input: 'Hi', store: true });
  expect(answer).toMatchObject({ store: false, previous_response_id: null });
  const stored = client.responses.retrieve(answer.id);
  await expect(stored).rejects.toMatchObject({ status: 404, code: 'response_unknown' });
  const next = client.responses.create({ model, input: 'On', previous_response_id: answer.id });
  await expect(next).rejects.toMatchObject({ status: 400, param: 'previous_response_id' });
});

test('continue a conversation with tools, whole and streamed, and can be read and removed', async () => {
  const { node, client: operator, upstream } = await start();
  await operator.putStoredResponses({});
  const client = openai(node.url);
  const tools = [{ type: 'function' as const, name: 'weather', parameters: {}, strict: false }];
  const first = await client.responses.create({
    model,
    instructions: 'Be short.',
    input: 'How is the weather?',
    tools,
  });
  expect(first).toMatchObject({ store: true });
  const [call] = first.output;
  if (call?.type !== 'function_call') throw new Error('no call');

  const stream = client.responses.stream({
    model,
    previous_response_id: first.id,
    input: [{ type: 'function_call_output', call_id: call.call_id, output: 'Rain.' }],
    tools,
  });
  const second = await stream.finalResponse();
  expect(second).toMatchObject({ output_text: 'Rain.', previous_response_id: first.id });
  // Instructions belong to one request, as OpenAI has them.
  expect(askedOf(upstream)).toEqual([
    'user: "How is the weather?"',
    'assistant: null',
    'tool: "Rain."',
  ]);

  const third = await client.responses.create({
    model,
    previous_response_id: second.id,
    input: 'Thanks',
    store: false,
  });
  expect(third).toMatchObject({ store: false, previous_response_id: second.id });
  expect(askedOf(upstream).slice(3)).toEqual(['assistant: "Rain."', 'user: "Thanks"']);
  await expect(client.responses.retrieve(third.id)).rejects.toMatchObject({ status: 404 });

  const { output_text: _, ...read } = await client.responses.retrieve(second.id);
  const { output_text: __, ...sent } = second;
  expect(JSON.parse(JSON.stringify(read))).toEqual(
    // The client's own additions to a parsed response are not sent.
    expect.objectContaining({ id: sent.id, status: 'completed', usage: sent.usage }),
  );
  expect((await client.responses.retrieve(first.id)).instructions).toBe('Be short.');
  const items = await client.responses.inputItems.list(second.id, { order: 'asc', limit: 2 });
  expect(items.data).toMatchObject([
    { type: 'message', role: 'user', content: [{ type: 'input_text' }] },
    { type: 'function_call', call_id: call.call_id },
  ]);
  const all: string[] = [];
  for await (const item of client.responses.inputItems.list(second.id, { limit: 1 })) {
    all.push(item.type ?? '');
  }
  expect(all).toEqual(['function_call_output', 'function_call', 'message']);

  await client.responses.delete(first.id);
  await expect(client.responses.delete(first.id)).rejects.toMatchObject({ status: 404 });
  const orphan = client.responses.create({ model, previous_response_id: second.id, input: 'On' });
  await expect(orphan).rejects.toMatchObject({
    status: 404,
    code: 'response_unknown',
    message: expect.stringContaining(`continues "${first.id}"`) as string,
  });
  expect((await client.responses.retrieve(second.id)).id).toBe(second.id);

  await operator.removeStoredResponses();
  await operator.putStoredResponses({});
  await expect(client.responses.retrieve(second.id)).rejects.toMatchObject({ status: 404 });
});

test('are read by pages, and by the addresses and parameters that exist alone', async () => {
  const { node, client: operator } = await start();
  await operator.putStoredResponses({});
  const input = ['a', 'b', 'c'].map((content) => ({ role: 'user' as const, content }));
  const { id } = await openai(node.url).responses.create({ model, input });
  const ask = async (path: string, method = 'GET') => {
    const response = await fetch(`${node.url}/v1/responses/${id}${path}`, { method });
    return [response.status, await response.text()] as const;
  };
  const [, page] = await ask('/input_items?limit=3&order=asc');
  const { data, ...more } = JSON.parse(page) as { data: { id: string }[] };
  const [first, , last] = data.map((item) => item.id);
  expect(more).toEqual({ object: 'list', first_id: first, last_id: last, has_more: false });
  expect(JSON.parse((await ask('/input_items?limit=2'))[1])).toMatchObject({ has_more: true });
  expect(await ask('/input_items?after=none')).toEqual([
    400,
    expect.stringContaining('No input item has the id'),
  ]);
  expect(await ask('/input_items?limit=101')).toEqual([400, expect.stringContaining('limit')]);
  expect(await ask('?stream=true')).toEqual([400, expect.stringContaining('not streamed')]);
  expect((await ask('/input_items/more'))[0]).toBe(404);
  // Neither is an address to remove from.
  expect((await ask('/input_items', 'DELETE'))[0]).toBe(405);
  expect((await ask(''))[0]).toBe(200);
});

test('belong to one key of one tenant, within the bounds of each', async () => {
  const { token: admin } = issueToken();
  const { node, client: operator } = await start(admin);
  await operator.putStoredResponses({ count: 2 });
  const [shop, colleague, ward] = await Promise.all(
    ['shop', 'shop', 'ward'].map(async (tenant) => openai(node.url, await keyOf(operator, tenant))),
  );
  const ids: string[] = [];
  for (let n = 0; n < 3; n++) {
    ids.push((await shop!.responses.create({ model, input: `Hi ${n}` })).id);
    await ward!.responses.create({ model, input: 'Hi' });
  }
  for (const other of [colleague!, ward!, openai(node.url, admin)]) {
    const body = { model, input: 'Hi', previous_response_id: ids[2]! };
    await expect(other.responses.create(body)).rejects.toMatchObject({ status: 404 });
    await expect(other.responses.retrieve(ids[2]!)).rejects.toMatchObject({ status: 404 });
    await expect(other.responses.inputItems.list(ids[2]!)).rejects.toMatchObject({ status: 404 });
    await expect(other.responses.delete(ids[2]!)).rejects.toMatchObject({ status: 404 });
  }
  await expect(openai(node.url, 'wrong').responses.retrieve(ids[2]!)).rejects.toMatchObject({
    status: 401,
  });
  await expect(shop!.responses.retrieve(ids[0]!)).rejects.toMatchObject({ status: 404 });
  expect((await shop!.responses.retrieve(ids[1]!)).status).toBe('completed');
  await operator.putStoredResponses({ bytes: 1024 });
  const large = await shop!.responses.create({ model, input: 'x'.repeat(2000) });
  expect(large).toMatchObject({ output_text: 'Hello there', store: false });
});

test('count as often as a request refers to them: some bytes of a body must not become megabytes', async () => {
  const { node, client: operator, upstream } = await start();
  await operator.putStoredResponses({});
  const client = openai(node.url);
  const content = 'echo '.repeat(10_000);
  const { output } = await client.responses.create({ model, input: content });
  const reference = { type: 'item_reference' as const, id: output[0]!.id! };
  const asked = (times: number) =>
    client.responses.create({ model, input: Array.from({ length: times }, () => reference) });
  expect((await asked(2)).status).toBe('completed');
  const before = upstream.bodies.length;
  await expect(asked(400)).rejects.toMatchObject({ status: 413, code: 'body_too_large' });
  expect(upstream.bodies).toHaveLength(before);
});

test('are stored as a provider sees them, and are there after a restart', async () => {
  const folder = testFolder();
  const first = await startLanguageNode(undefined, { dataFolder: folder });
  await first.client.putRedaction({ name: 'city', pattern: 'Ulm', of: 'prompts' });
  await first.client.putStoredResponses({});
  const body = { model, input: 'I am in Ulm', instructions: 'Name Ulm.', metadata: { at: 'Ulm' } };
  const { id } = await openai(first.node.url).responses.create(body);
  await first.close();
  const files = await Promise.all(
    (await readdir(folder))
      .filter((name) => name.includes('.db') || name.includes('.sqlite'))
      .map((name) => readFile(join(folder, name), 'latin1')),
  );
  expect(files.join('')).toContain('I am in [city]');
  expect(files.join('')).not.toContain('I am in Ulm');
  const second = await start(undefined, { dataFolder: folder });
  const client = openai(second.node.url);
  const read = await client.responses.retrieve(id);
  expect(read).toMatchObject({ instructions: 'Name [city].', metadata: { at: '[city]' } });
  await client.responses.create({ model, input: 'And now?', previous_response_id: id });
  expect(askedOf(second.upstream)[0]).toBe('user: "I am in [city]"');
});

test.skipIf(requireComponent('redis').skip)('belong to a whole fleet', async () => {
  const [fleet, upstream] = await Promise.all([startFleet(2), startUpstream()]);
  onTestFinished(async () => {
    await fleet.close();
    upstream.close();
  });
  const [one, two] = fleet.nodes as [(typeof fleet.nodes)[0], (typeof fleet.nodes)[0]];
  await one.client.putProvider({ name: 'up', kind: 'openai', baseUrl: upstream.url });
  await one.client.putLanguageModel({
    name: model,
    routes: [{ provider: 'up', model: 'big' }],
    ttftMs: 20_000,
  });
  await one.client.putStoredResponses({});
  const key = await keyOf(one.client, 'shop');
  const { id } = await openai(one.url, key).responses.create({ model, input: 'Hi' });
  const other = openai(two.url, key);
  // The other member learns of the key, and of what is declared, from the store.
  const patience = { timeout: 60_000, interval: 50 };
  const read = () => other.responses.retrieve(id).then(({ output_text: text }) => text);
  await expect.poll(() => read().catch(() => undefined), patience).toBe('Hello there');
  await other.responses.create({ model, input: 'On', previous_response_id: id });
  expect(askedOf(upstream)).toEqual(['user: "Hi"', 'assistant: "Hello there"', 'user: "On"']);
});

test('their items are found by their ids, by the key that has asked alone', async () => {
  const { node, client: operator, upstream } = await start(issueToken().token);
  await operator.putStoredResponses({});
  const client = openai(node.url, await keyOf(operator, 'ward'));
  const tools = [{ type: 'function' as const, name: 'weather', parameters: {}, strict: false }];
  const asked = { role: 'user' as const, content: 'How is the weather?' };
  const { output } = await client.responses.create({ model, input: [asked], tools });
  const [call] = output;
  if (call?.type !== 'function_call') throw new Error('no call');
  const reference = { type: 'item_reference' as const, id: call.id! };
  const result = { type: 'function_call_output' as const, call_id: call.call_id, output: 'Rain.' };
  const input = [asked, reference, result];
  const answered = await client.responses.create({ model, input, tools });
  expect(answered.output_text).toBe('Rain.');
  expect(askedOf(upstream)).toEqual([
    'user: "How is the weather?"',
    'assistant: null',
    'tool: "Rain."',
  ]);
  const other = openai(node.url, await keyOf(operator, 'ward'));
  for (const refused of [
    () => other.responses.create({ model, input, tools }),
    () => client.responses.create({ model, input: [{ ...reference, id: `${call.id}0` }] }),
    () => client.responses.create({ model, input: [{ ...reference, id: 'msg_1' }] }),
  ]) {
    await expect(refused()).rejects.toMatchObject({ code: 'response_unknown' });
  }
  await operator.removeStoredResponses();
  const off = client.responses.create({ model, input, tools });
  await expect(off).rejects.toMatchObject({ status: 400, code: 'generation_unsupported' });
});
