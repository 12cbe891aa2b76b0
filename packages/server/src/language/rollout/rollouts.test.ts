/** Rollouts of routes on real nodes, with the faulty upstream as the provider of both routes. */
import type { Client } from '@skein/api/client';
import { type FaultyUpstream, openFaultyUpstream } from '@skein/generative/faulty-upstream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { startFleet } from '../../testing/fleet.ts';
import { startTestNode } from '../../testing/test-node.ts';

/** A busy machine must not make a first token late here. */
const TTFT_MS = 30_000;
const PATIENCE = { timeout: 60_000, interval: 20 };
const QUICK = { stepMs: 200, minRequests: 5 };

async function upstreamOf(): Promise<FaultyUpstream> {
  const upstream = await openFaultyUpstream();
  onTestFinished(() => upstream.close());
  return upstream;
}

/** A model `assistant` over `old`, and the provider `new`, which has a fault or none. */
async function declare(client: Client, upstream: FaultyUpstream, fault: 'none' | 'status-500') {
  await client.putProvider({
    name: 'old',
    kind: 'openai',
    baseUrl: upstream.baseUrl('openai', 'none'),
  });
  await client.putProvider({
    name: 'new',
    kind: 'openai',
    baseUrl: upstream.baseUrl('openai', fault),
  });
  await client.putLanguageModel({
    name: 'assistant',
    routes: [{ provider: 'old', model: 'o' }],
    ttftMs: TTFT_MS,
  });
}

async function ask(url: string, key?: string): Promise<string> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: 'assistant', messages: [{ role: 'user', content: 'hi' }] }),
  });
  await response.text();
  expect(response.status).toBe(200);
  return response.headers.get('skein-provider')!;
}

const rolloutOf = async (client: Client) =>
  (await client.getLanguageModels()).rollouts.find(({ model }) => model === 'assistant')!;
const routesOf = async (client: Client) =>
  (await client.getLanguageModels()).settings.models[0]!.routes.map(({ provider }) => provider);

/** Asks until the rollout has ended. @returns its view then. */
async function askUntilOver(client: Client, url: string) {
  await expect
    .poll(async () => {
      await Promise.all([ask(url), ask(url), ask(url)]);
      return (await rolloutOf(client)).phase;
    }, PATIENCE)
    .toMatch(/finished|rolled-back/);
  return rolloutOf(client);
}

describe('a canary of a language model', { timeout: 120_000 }, () => {
  test('takes over by its steps, and a rollback returns to the routes before', async () => {
    const [upstream, node] = [await upstreamOf(), await startTestNode()];
    onTestFinished(() => node.close());
    const { client, url } = node;
    await declare(client, upstream, 'none');
    const rollOut = (stepMs: number) =>
      client.rollOutLanguageModel({
        name: 'assistant',
        route: { provider: 'new', model: 'n' },
        plan: { strategy: 'canary', steps: [50], ...QUICK, stepMs },
      });
    const begun = await rollOut(60_000);
    expect(begun).toMatchObject({ from: 'old=o', to: 'new=n', phase: 'shifting', share: 50 });
    const change = { name: 'assistant', routes: [{ provider: 'old', model: 'p' }] };
    await expect(client.putLanguageModel(change)).rejects.toMatchObject({
      code: 'ROLLOUT_IN_PROGRESS',
    });
    await expect(client.removeProvider({ name: 'new' })).rejects.toMatchObject({
      code: 'PROVIDER_INVALID',
    });
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain(
      'skein_language_rollout_share_percent{model="assistant",to="new=n"} 50',
    );

    const aborted = await client.rollBackLanguageModel({ name: 'assistant', reason: 'too soon' });
    expect(aborted).toMatchObject({ phase: 'rolled-back', share: 0, reason: 'too soon' });
    expect(await ask(url)).toBe('old');

    await rollOut(QUICK.stepMs);
    const over = await askUntilOver(client, url);
    expect(over).toMatchObject({ phase: 'finished', share: 100, candidate: { errors: 0 } });
    expect(over.candidate.ttftP99Ms).toBeGreaterThan(0);
    expect(await routesOf(client)).toEqual(['new']);
    expect(await ask(url)).toBe('new');

    const back = await client.rollBackLanguageModel({ name: 'assistant', reason: 'worse' });
    expect(back).toMatchObject({ phase: 'rolled-back', reason: 'worse' });
    expect(await ask(url)).toBe('old');
    await expect(client.rollBackLanguageModel({ name: 'assistant' })).rejects.toMatchObject({
      code: 'NOTHING_TO_ROLL_BACK',
    });
    const { entries } = await client.listAudit({ limit: 100 });
    expect(entries.map(({ action }) => action)).toEqual(
      expect.arrayContaining(['rollout shifting', 'rollout finished', 'rollout rolled-back']),
    );
  });

  test('that fails is rolled back automatically, and every caller has its answer', async () => {
    const [upstream, node] = [await upstreamOf(), await startTestNode()];
    onTestFinished(() => node.close());
    const { client, url } = node;
    await declare(client, upstream, 'status-500');
    const missing = { name: 'assistant', route: { provider: 'nowhere', model: 'n' } };
    await expect(client.rollOutLanguageModel(missing)).rejects.toMatchObject({
      code: 'PROVIDER_INVALID',
    });
    await client.rollOutLanguageModel({
      name: 'assistant',
      route: { provider: 'new', model: 'n' },
      plan: { strategy: 'canary', steps: [100], ...QUICK, stepMs: 60_000 },
    });
    const over = await askUntilOver(client, url);
    expect(over.phase).toBe('rolled-back');
    expect(over.reason).toMatch(/version new=n: \d+ of \d+ requests failed/);
    expect(over.candidate.errors).toBe(over.candidate.requests);
    expect(await routesOf(client)).toEqual(['old']);
    expect(await ask(url)).toBe('old');
  });

  test.skipIf(requireComponent('redis').skip)(
    'over a fleet is judged on what all members have seen, and continues without the one that began it',
    async () => {
      const [upstream, fleet] = [await upstreamOf(), await startFleet(2)];
      onTestFinished(() => fleet.close());
      const [first, second] = fleet.nodes as [(typeof fleet.nodes)[0], (typeof fleet.nodes)[0]];
      await declare(first.client, upstream, 'none');
      const begun = await first.client.rollOutLanguageModel({
        name: 'assistant',
        route: { provider: 'new', model: 'n' },
        plan: { strategy: 'canary', steps: [100], stepMs: 3000, minRequests: 20 },
      });
      expect(begun.phase).toBe('shifting');
      await Promise.all(Array.from({ length: 20 }, () => ask(first.url, fleet.key)));
      await first.stop();
      // The other member has no traffic, and has read the first one's window.
      await expect
        .poll(async () => (await rolloutOf(second.client)).phase, PATIENCE)
        .toBe('finished');
      const over = await rolloutOf(second.client);
      expect(over.candidate).toMatchObject({ requests: 20, errors: 0 });
      const { entries } = await second.client.listAudit({ limit: 100 });
      expect(entries.map(({ action }) => action)).toContain('rollout finished');
      expect(await routesOf(second.client)).toEqual(['new']);
      await first.start();
      await expect.poll(() => ask(first.url, fleet.key), PATIENCE).toBe('new');
    },
  );
});

test('a shadow of a language model is compared and paid by the operator, and changes no route', async () => {
  const [upstream, node] = [await upstreamOf(), await startTestNode()];
  onTestFinished(() => node.close());
  const { client, url } = node;
  await declare(client, upstream, 'none');
  await client.putBudget({ subject: 'operator', period: 'month', usd: 100 });
  await client.rollOutLanguageModel({
    name: 'assistant',
    route: { provider: 'new', model: 'n', price: { input: 1000, output: 1000 } },
    plan: { strategy: 'shadow', steps: [100], ...QUICK },
  });
  expect(await ask(url)).toBe('old');
  const over = await askUntilOver(client, url);
  expect(over).toMatchObject({ phase: 'finished', share: 0, candidate: { errors: 0 } });
  expect(over.copies.sent).toBeGreaterThanOrEqual(5);
  expect(over.copies.costUsd).toBeGreaterThan(0);
  expect(await routesOf(client)).toEqual(['old']);
  const { budgets, use } = await client.getLanguageModels();
  expect(budgets.find(({ subject }) => subject === 'operator')!.taken).toBeGreaterThan(0);
  expect(use.reduce((sum, { costUsd }) => sum + costUsd, 0)).toBe(0);
}, 120_000);
