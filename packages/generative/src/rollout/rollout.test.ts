import { LanguageSettings, type LanguageSettingsInput, SkeinError } from '@skein/api';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Gateway, Provider } from '../contract.ts';
import type { GatewayOptions } from '../gateway-options.ts';
import { openGateway } from '../gateway.ts';
import { callerOf, eventsOf, requestOf, textOf } from '../testing/calls.ts';
import { upstreamError } from '../wire/upstream-error.ts';
import { outcomeOf } from './outcome.ts';
import { createRolloutTraffic, type RolloutTraffic, type RouteRollout } from './traffic.ts';

/** For a busy machine. */
const PATIENCE = { timeout: 30_000, interval: 20 };

const rollout = (more: Partial<RouteRollout> = {}): RouteRollout => ({
  id: 'r1',
  model: 'm',
  candidate: {
    provider: 'new',
    model: 'n',
    weight: 1,
    quality: 0,
    price: { input: 1, output: 10 },
  },
  replaces: { provider: 'old', model: 'o' },
  step: 0,
  share: 0,
  copied: 0,
  ...more,
});

describe('the outcome of an attempt', () => {
  const error = (code: ConstructorParameters<typeof SkeinError>[0]) => new SkeinError(code, 'x');
  it.each([
    ['a whole answer', { ttftMs: 10, tookMs: 900 }, 'answered'],
    ['a first token after the objective', { ttftMs: 600, tookMs: 900 }, 'late'],
    ['a cut', { error: error('PROVIDER_CUT'), ttftMs: 10, tookMs: 20 }, 'failed'],
    ['a refused request', { error: error('PROVIDER_REJECTED'), tookMs: 20 }, 'failed'],
    ['a content filter', { error: error('CONTENT_FILTERED'), tookMs: 20 }, 'failed'],
    ['no place in time', { error: error('DEADLINE_UNREACHABLE'), tookMs: 20 }, 'late'],
    ['a caller that leaves at once', { error: error('CANCELLED'), tookMs: 20 }, undefined],
    ['a caller that leaves too late', { error: error('CANCELLED'), tookMs: 600 }, 'late'],
    [
      'a caller that has read some',
      { error: error('CANCELLED'), ttftMs: 5, tookMs: 9 },
      'answered',
    ],
    ['a spent budget', { error: error('BUDGET_SPENT'), tookMs: 1 }, undefined],
    ['no first token', { error: error('PROVIDER_TIMEOUT'), tookMs: 2000 }, 'failed'],
    ['a hurry', { error: error('PROVIDER_TIMEOUT'), tookMs: 50, isHurried: true }, undefined],
  ] as const)('of %s', (_, end, outcome) => {
    expect(outcomeOf({ isHurried: false, ...end }, 500)).toBe(outcome);
  });
});

describe('the traffic of a rollout', () => {
  it('is its share, and a sticky caller that has once moved stays while it grows', () => {
    const traffic = createRolloutTraffic();
    const keys = Array.from({ length: 4000 }, (_, at) => `user-${at}`);
    let moved: string[] = [];
    for (const share of [0, 0.05, 0.25, 1]) {
      traffic.follow([rollout({ share })]);
      const now = keys.filter((key) => traffic.of('m')!.takes(key, 0));
      expect(now.length / keys.length).toBeCloseTo(share, 1);
      const stays = new Set(now);
      expect(moved.filter((key) => !stays.has(key))).toEqual([]);
      moved = now;
    }
    expect(moved).toHaveLength(keys.length);
  });

  it('counts the new route by step, the old one since the beginning', () => {
    const traffic = createRolloutTraffic();
    traffic.follow([rollout()]);
    const followed = traffic.of('m')!;
    followed.note('candidate', 'failed', undefined);
    followed.note('stable', 'answered', 10);
    traffic.follow([rollout({ step: 1 })]);
    followed.note('candidate', 'late', 700);
    expect(traffic.of('m')!.window()).toMatchObject({
      step: 1,
      candidate: { requests: 1, errors: 0, late: 1 },
      stable: { requests: 1, errors: 0, late: 0 },
    });
    expect(followed.totals().candidate).toMatchObject({ requests: 2, errors: 1, late: 1 });
    traffic.follow([rollout({ id: 'r2' })]);
    expect(traffic.of('m')!.window().stable.requests).toBe(0);
  });
});

/** Answers with its name, or fails with an error. */
function provider(name: string, error?: () => SkeinError | undefined) {
  const state = { calls: 0 };
  const opened: Provider = {
    name,
    async *generate() {
      state.calls += 1;
      const failure = error?.();
      if (failure !== undefined) throw failure;
      yield { type: 'text', text: name };
      yield { type: 'finish', reason: 'stop' };
      yield { type: 'usage', usage: { inputTokens: 10, outputTokens: 20 } };
    },
    close: async () => {},
  };
  return { provider: opened, state };
}

async function open(
  traffic: RolloutTraffic,
  providers: readonly Provider[],
  more: LanguageSettingsInput & Partial<Pick<GatewayOptions, 'random'>> = {},
): Promise<Gateway> {
  const { random = Math.random, ...settings } = more;
  const gateway = await openGateway({
    settings: LanguageSettings.parse({
      models: [{ name: 'm', routes: [{ provider: 'old', model: 'o' }], ttftMs: 60_000 }],
      ...settings,
    }),
    providers,
    rollouts: traffic,
    random,
  });
  onTestFinished(() => gateway.close());
  return gateway;
}

const ask = async (gateway: Gateway, caller = callerOf(), request = requestOf('m')) => {
  const generation = await gateway.generate(request, caller);
  return { text: textOf(await eventsOf(generation)), receipt: generation.receipt()! };
};

describe('a canary', () => {
  it('answers its share', async () => {
    const traffic = createRolloutTraffic();
    traffic.follow([rollout({ share: 0.25 })]);
    let at = 0;
    const random = () => (at++ % 100) / 100;
    const gateway = await open(traffic, [provider('old').provider, provider('new').provider], {
      random,
    });
    const asked = await Promise.all(
      Array.from({ length: 40 }, (_, key) => ask(gateway, callerOf({ stickyKey: `k${key}` }))),
    );
    const moved = asked.filter(({ text }) => text === 'new').length;
    expect(moved).toBeGreaterThan(0);
    expect(moved).toBeLessThan(25);
    const { candidate, stable } = traffic.of('m')!.window();
    expect([candidate.requests, stable.requests]).toEqual([moved, 40 - moved]);
  });

  it.each(['PROVIDER_FAILED', 'PROVIDER_REJECTED'] as const)(
    'that ends with %s costs no caller its answer, and is counted',
    async (code) => {
      const failing = () => upstreamError(code, { provider: 'new', message: 'x' });
      const traffic = createRolloutTraffic();
      traffic.follow([rollout({ share: 1 })]);
      const gateway = await open(traffic, [
        provider('old').provider,
        provider('new', failing).provider,
      ]);
      for (let n = 0; n < 6; n++) expect((await ask(gateway)).text).toBe('old');
      // Requests that its open circuit keeps away count too.
      expect(traffic.of('m')!.window().candidate).toMatchObject({ requests: 6, errors: 6 });
    },
  );

  it('leaves nothing in the cache', async () => {
    const traffic = createRolloutTraffic();
    const { provider: fresh, state } = provider('new');
    const gateway = await open(traffic, [provider('old').provider, fresh]);
    const answer = async () => {
      const request = requestOf('m', { sampling: { temperature: 0 } });
      const generation = await gateway.generate(request, callerOf());
      return [textOf(await eventsOf(generation)), generation.receipt()!.cache];
    };
    traffic.follow([rollout({ share: 1 })]);
    for (let n = 0; n < 2; n++) expect(await answer()).toEqual(['new', 'miss']);
    expect(state.calls).toBe(2);
    traffic.follow([]);
    expect(await answer()).toEqual(['old', 'miss']);
    expect(await answer()).toEqual(['old', 'hit']);
  });

  it('answers none that joins the same request of a caller on the other side', async () => {
    const traffic = createRolloutTraffic();
    traffic.follow([rollout({ share: 0.5 })]);
    const gateway = await open(traffic, [provider('old').provider, provider('new').provider]);
    const takes = (key: string) => traffic.of('m')!.takes(key, 0);
    const keys = Array.from({ length: 40 }, (_, at) => `user-${at}`);
    const request = requestOf('m', { sampling: { temperature: 0 } });
    const asked = await Promise.all(
      keys.map((stickyKey) => ask(gateway, callerOf({ stickyKey }), request)),
    );
    expect(asked.map(({ text }) => text)).toEqual(keys.map((key) => (takes(key) ? 'new' : 'old')));
    expect(new Set(asked.map(({ text }) => text)).size).toBe(2);
    // One call for each side.
    expect(asked.filter(({ receipt }) => receipt.cache === 'miss')).toHaveLength(2);
  });

  it('gets nothing of a tenant whose data may not go there', async () => {
    const traffic = createRolloutTraffic();
    traffic.follow([rollout({ share: 1, copied: 1 })]);
    const fresh = provider('new');
    const gateway = await open(traffic, [provider('old').provider, fresh.provider], {
      allow: [{ tenant: 'ward', providers: ['old'] }],
    });
    expect((await ask(gateway, callerOf({ tenant: 'ward' }))).text).toBe('old');
    expect(fresh.state.calls).toBe(0);
    expect((await ask(gateway)).text).toBe('new');
  });
});

describe('a shadow', () => {
  const budgets = [
    { subject: 'tenant:default', period: 'month', usd: 1 },
    { subject: 'operator', period: 'month', usd: 0.05 },
  ] as const;
  const model = { name: 'm', routes: [{ provider: 'old', model: 'o' }], ttftMs: 60_000 };

  it('is sent copies, which are measured and paid by the operator alone', async () => {
    const traffic = createRolloutTraffic();
    traffic.follow([rollout({ copied: 1 })]);
    const fresh = provider('new');
    const gateway = await open(traffic, [provider('old').provider, fresh.provider], {
      models: [{ ...model, maxOutputTokens: 100 }],
      budgets: [...budgets],
    });
    const asked = await ask(gateway);
    expect(asked).toMatchObject({ text: 'old', receipt: { costUsd: 0, attempts: 1 } });
    const window = () => traffic.of('m')!.window();
    // 10 tokens at $1 and 20 at $10 a million.
    await vi.waitFor(
      () => expect(window().copies).toEqual({ sent: 1, skipped: 0, nanoDollars: 210_000 }),
      PATIENCE,
    );
    await vi.waitFor(
      () => expect(window().candidate).toMatchObject({ requests: 1, errors: 0 }),
      PATIENCE,
    );
    expect(window().stable.requests).toBe(1);
    await vi.waitFor(async () => {
      await gateway.close();
      const taken = Object.fromEntries(
        (await gateway.view()).budgets.map(({ subject, taken: usd }) => [subject, usd]),
      );
      expect(taken).toEqual({ 'tenant:default': 0, operator: 0.00021 });
    }, PATIENCE);
  });

  it('is skipped where the budget of the operator is not enough', async () => {
    const traffic = createRolloutTraffic();
    traffic.follow([rollout({ copied: 1 })]);
    const fresh = provider('new');
    const gateway = await open(traffic, [provider('old').provider, fresh.provider], {
      models: [{ ...model, maxOutputTokens: 100_000 }],
      budgets: [...budgets],
    });
    expect((await ask(gateway)).text).toBe('old');
    await vi.waitFor(() => expect(traffic.of('m')!.window().copies.skipped).toBe(1), PATIENCE);
    expect(fresh.state.calls).toBe(0);
  });

  it('is skipped where the copy may cost more than what is reserved of the budget of the operator', async () => {
    const traffic = createRolloutTraffic();
    traffic.follow([rollout({ copied: 1 })]);
    const fresh = provider('new');
    const gateway = await open(traffic, [provider('old').provider, fresh.provider], {
      models: [{ ...model, maxOutputTokens: 100 }],
      budgets: [{ subject: 'operator', period: 'month', usd: 1 }],
    });
    const dear = requestOf('m', { extra: { service_tier: 'priority' } });
    expect((await ask(gateway, callerOf(), dear)).text).toBe('old');
    const copies = () => traffic.of('m')!.window().copies;
    await vi.waitFor(() => expect(copies().sent + copies().skipped).toBe(1), PATIENCE);
    expect([copies().skipped, fresh.state.calls]).toEqual([1, 0]);
  });
});
