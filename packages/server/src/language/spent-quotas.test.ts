/** Spent quotas of providers on real nodes: over a restart, over a fleet, and while its store is away. */
import { openFaultyUpstream } from '@skein/generative/faulty-upstream';
import { expect, onTestFinished, test } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import type { FleetNode } from '../testing/fleet.ts';
import { startFleet } from '../testing/fleet.ts';
import { startTestNode } from '../testing/test-node.ts';

const DAY = 'GenerateRequestsPerDayPerProjectPerModel-FreeTier';
const PATIENCE = { timeout: 30_000, interval: 50 };

async function upstreamOf() {
  const upstream = await openFaultyUpstream();
  onTestFinished(() => upstream.close());
  return upstream;
}

async function declare({ client }: Pick<FleetNode, 'client'>, baseUrl: string): Promise<void> {
  await client.putProvider({ name: 'google', kind: 'gemini', baseUrl });
  for (const name of ['flash', 'twin', 'pro']) {
    const route = { provider: 'google', model: name === 'twin' ? 'flash' : name };
    await client.putLanguageModel({ name, routes: [route], ttftMs: 30_000 });
  }
}

async function ask(url: string, model: string, key?: string) {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'hi' }] }),
  });
  const body = (await response.json()) as { error?: { skein_code: string } };
  const waitS = Number(response.headers.get('retry-after') ?? 0);
  return { code: body.error?.skein_code ?? 'ok', waitS };
}

const standing = async ({ client }: Pick<FleetNode, 'client'>, model: string) =>
  (await client.getLanguageModels()).models.find(({ name }) => name === model)!.routes[0]!;

test('the quota of a day stays open over a restart, until its provider is declared anew', async () => {
  const upstream = await upstreamOf();
  const dataFolder = testFolder();
  const first = await startTestNode({ dataFolder });
  await declare(first, upstream.baseUrl('gemini', 'quota-day'));
  expect((await ask(first.url, 'flash')).code).toBe('PROVIDER_QUOTA');
  expect(await standing(first, 'twin')).toMatchObject({
    closedBy: { code: 'PROVIDER_QUOTA', scope: 'model' },
    quotas: { [DAY]: expect.any(Number) as number },
  });
  const metrics = await (await fetch(`${first.url}/metrics`)).text();
  const labels = 'model="twin",provider="google",route="flash"';
  expect(metrics).toMatch(
    new RegExp(`skein_language_quota_reset_seconds\\{${labels},quota="${DAY}"\\} \\d`),
  );
  expect(metrics).toContain(`skein_language_route_closed_seconds{model="pro"`);
  await first.close();

  const second = await startTestNode({ dataFolder });
  onTestFinished(() => second.close());
  const asked = upstream.requests;
  const refused = await ask(second.url, 'flash');
  expect(refused.code).toBe('PROVIDERS_UNAVAILABLE');
  expect(refused.waitS).toBeGreaterThan(60);
  expect((await ask(second.url, 'twin')).code).toBe('PROVIDERS_UNAVAILABLE');
  expect(upstream.requests).toBe(asked);
  // The upstream counts by model.
  expect((await ask(second.url, 'pro')).code).toBe('PROVIDER_QUOTA');

  const baseUrl = upstream.baseUrl('gemini', 'quota-day');
  await second.client.putProvider({ name: 'google', kind: 'gemini', baseUrl });
  expect(await standing(second, 'flash')).toMatchObject({ closedInMs: 0, quotas: {} });
  expect((await ask(second.url, 'flash')).code).toBe('PROVIDER_QUOTA');
}, 60_000);

test.skipIf(requireComponent('redis').skip)(
  'a quota that one member of a fleet has spent is known to the others, also after the store was away',
  async () => {
    const [upstream, fleet] = [await upstreamOf(), await startFleet(2)];
    onTestFinished(() => fleet.close());
    const [first, second] = fleet.nodes as [FleetNode, FleetNode];
    await declare(first, upstream.baseUrl('gemini', 'quota-day'));
    const closedAt = (node: FleetNode, model: string) =>
      expect.poll(async () => (await standing(node, model)).closedInMs, PATIENCE);
    // It holds the models, and has asked for none.
    await closedAt(second, 'flash').toBe(0);

    expect((await ask(first.url, 'flash', fleet.key)).code).toBe('PROVIDER_QUOTA');
    await closedAt(second, 'flash').toBeGreaterThan(60_000);
    expect((await ask(second.url, 'flash', fleet.key)).code).toBe('PROVIDERS_UNAVAILABLE');
    expect(upstream.requests).toBe(1);

    await fleet.redis.kill();
    expect((await ask(first.url, 'pro', fleet.key)).code).toBe('PROVIDER_QUOTA');
    expect((await ask(first.url, 'pro', fleet.key)).code).toBe('PROVIDERS_UNAVAILABLE');
    await fleet.redis.start();
    await expect
      .poll(async () => {
        // A request is what makes it look at the store.
        await ask(first.url, 'pro', fleet.key);
        return (await standing(second, 'pro')).closedInMs;
      }, PATIENCE)
      .toBeGreaterThan(60_000);
    expect(upstream.requests).toBe(2);
  },
  90_000,
);
