import { LanguageSettings } from '@skein/api';
import { openGateway } from '@skein/generative';
import { openFaultyUpstream } from '@skein/generative/faulty-upstream';
import { openSqliteState } from '@skein/state';
import { expect, onTestFinished, test } from 'vitest';
import { strictLogger } from '../testing/fake-inference.ts';
import { countLanguageUse } from './use.ts';

const RECEIPT = {
  provider: 'up',
  model: 'assistant',
  usage: { inputTokens: 7, outputTokens: 3 },
  costUsd: 0.25,
  answerUsd: 0.25,
  cache: 'miss' as const,
  attempts: 1,
  ttftMs: 40,
};

test('the audit sums the requests of a caller and a model, with tokens and cost', async () => {
  const state = await openSqliteState(':memory:');
  onTestFinished(() => state.close());
  const use = countLanguageUse(state, strictLogger);
  const caller = { requestId: 'r', tenant: 'shop', key: 'k1' };
  for (let n = 0; n < 3; n++)
    use.observe({ caller, model: 'assistant', receipt: RECEIPT, durationMs: 90 });
  use.observe({ caller, model: 'assistant', error: 'BUDGET_SPENT', durationMs: 1 });
  use.observe({ caller, model: 'assistant', receipt: RECEIPT, error: 'CANCELLED', durationMs: 90 });
  // A name of a caller is no row and no series.
  use.observe({ caller, model: 'gpt-9', error: 'MODEL_UNKNOWN', durationMs: 1 });
  await use.close();
  expect(await state.audit(10)).toMatchObject([
    {
      actor: 'k1',
      action: 'generate',
      subject: 'assistant (shop)',
      outcome: '5 requests, 1 failed, 40 tokens, $1.000000',
    },
  ]);
  expect(use.views()).toMatchObject([
    {
      model: 'assistant',
      provider: 'up',
      requests: 4,
      failed: 0,
      ttftMs: { p50: 50, p99: 50 },
      tokensPerSecond: 60,
    },
    { model: 'assistant', provider: '', requests: 1, failed: 1 },
  ]);
});

test('what calls without an answer have cost is counted at their provider, and is no request', async () => {
  const state = await openSqliteState(':memory:');
  onTestFinished(() => state.close());
  const use = countLanguageUse(state, strictLogger);
  const caller = { requestId: 'r', tenant: 'shop', key: 'k1' };
  const { usage } = RECEIPT;
  use.observe({ caller, model: 'assistant', error: 'PROVIDER_TIMEOUT', durationMs: 90 });
  use.observeLoss({ caller, model: 'assistant', provider: 'up', usage, costUsd: 0.25 });
  await use.close();
  expect(await state.audit(10)).toMatchObject([
    { outcome: '1 requests, 1 failed, 10 tokens, $0.250000' },
  ]);
  expect(use.views()).toMatchObject([
    { provider: '', requests: 1, failed: 1, inputTokens: 0, outputTokens: 0, costUsd: 0 },
    { provider: 'up', requests: 0, failed: 0, inputTokens: 7, outputTokens: 3, costUsd: 0.25 },
  ]);
});

test("tokens and cost of an answer after a failed call are the budget's, each at its provider", async () => {
  const state = await openSqliteState(':memory:');
  onTestFinished(() => state.close());
  const upstream = await openFaultyUpstream();
  onTestFinished(() => upstream.close());
  const use = countLanguageUse(state, strictLogger);
  const price = { input: 10, output: 1000 };
  const gateway = await openGateway({
    settings: LanguageSettings.parse({
      providers: [
        { name: 'broken', kind: 'openai', baseUrl: upstream.baseUrl('openai', 'truncated-200') },
        { name: 'up', kind: 'openai', baseUrl: upstream.baseUrl('openai', 'none') },
      ],
      models: [
        {
          name: 'm',
          routes: ['broken', 'up'].map((provider) => ({ provider, model: 'x', price })),
          ttftMs: 20_000,
        },
      ],
      budgets: [
        { subject: 'tenant:shop', tokens: 100_000, period: 'month' },
        { subject: 'tenant:shop', usd: 100, period: 'day' },
      ],
    }),
    state,
    observe: use.observe,
    observeLoss: use.observeLoss,
  });
  const answer = await gateway.generate(
    {
      model: 'm',
      messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
      stream: false,
    },
    {
      requestId: 'r',
      tenant: 'shop',
      arrivedAt: performance.now(),
      priority: 0,
      signal: new AbortController().signal,
    },
  );
  for await (const _ of answer.events);
  const { provider, attempts, costUsd } = answer.receipt()!;
  expect({ provider, attempts }).toEqual({ provider: 'up', attempts: 2 });
  const views = use.views();
  const sumOf = (field: 'inputTokens' | 'outputTokens' | 'costUsd') =>
    views.reduce((sum, view) => sum + view[field], 0);
  const tokens = sumOf('inputTokens') + sumOf('outputTokens');
  expect(sumOf('costUsd')).toBeCloseTo(costUsd, 9);
  for (const name of ['broken', 'up']) {
    const {
      inputTokens,
      outputTokens,
      costUsd: cost,
    } = views.find((view) => view.provider === name)!;
    expect(outputTokens).toBeGreaterThan(0);
    expect(cost).toBeCloseTo((inputTokens * 10 + outputTokens * 1000) / 1e6, 9);
  }
  // The unspent part is returned.
  await gateway.close();
  const now = new Date().toISOString();
  expect(await state.budgets.takenBudget(`tenant:shop tokens month ${now.slice(0, 7)}`)).toBe(
    tokens,
  );
  await use.close();
  expect(await state.audit(10)).toMatchObject([
    { outcome: `1 requests, 0 failed, ${tokens} tokens, $${costUsd.toFixed(6)}` },
  ]);
});

test('the tokens of a joined or repeated answer are counted once', async () => {
  const state = await openSqliteState(':memory:');
  onTestFinished(() => state.close());
  const use = countLanguageUse(state, strictLogger);
  const caller = { requestId: 'r', tenant: 'shop', key: 'k1' };
  for (const cache of ['miss', 'joined', 'joined', 'hit'] as const) {
    const paid = cache === 'miss' ? {} : { costUsd: 0, answerUsd: 0, attempts: 0 };
    const receipt = { ...RECEIPT, cache, ...paid };
    use.observe({ caller, model: 'assistant', receipt, durationMs: 90 });
  }
  await use.close();
  expect(await state.audit(10)).toMatchObject([
    { outcome: '4 requests, 0 failed, 10 tokens, $0.250000' },
  ]);
  expect(use.views()).toMatchObject([
    { requests: 4, cacheHits: 3, inputTokens: 7, outputTokens: 3 },
  ]);
});

test('the tokens of a shared answer belong to the caller that pays, if the one that began it has left', async () => {
  const state = await openSqliteState(':memory:');
  onTestFinished(() => state.close());
  const upstream = await openFaultyUpstream({ gapMs: 20 });
  onTestFinished(() => upstream.close());
  const use = countLanguageUse(state, strictLogger);
  // Else its timer writes into the closed state a minute later.
  onTestFinished(() => use.close());
  const baseUrl = upstream.baseUrl('openai', 'none');
  const routes = [{ provider: 'up', model: 'x' }];
  const gateway = await openGateway({
    settings: LanguageSettings.parse({
      providers: [{ name: 'up', kind: 'openai', baseUrl }],
      models: [{ name: 'm', routes, ttftMs: 20_000 }],
    }),
    observe: use.observe,
  });
  onTestFinished(() => gateway.close());
  const ask = () =>
    gateway.generate(
      {
        model: 'm',
        messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
        sampling: { temperature: 0 },
        stream: true,
      },
      {
        requestId: 'r',
        tenant: 'shop',
        arrivedAt: performance.now(),
        priority: 0,
        signal: new AbortController().signal,
      },
    );
  const [first, second] = [await ask(), await ask()];
  for await (const _ of first.events) break;
  for await (const _ of second.events);
  expect([first.receipt(), second.receipt()]).toMatchObject([
    { cache: 'miss' },
    { cache: 'joined' },
  ]);
  const { inputTokens, outputTokens } = second.receipt()!.usage;
  expect(use.views()).toMatchObject([{ requests: 2, inputTokens, outputTokens }]);
  expect(upstream.requests).toBe(1);
});

test('what is beyond the bounds is summed, and nothing of it is lost', async () => {
  const state = await openSqliteState(':memory:');
  onTestFinished(() => state.close());
  const use = countLanguageUse(state, strictLogger);
  for (let n = 0; n < 300; n++) {
    const caller = { requestId: 'r', tenant: 'shop', key: `k${n}` };
    use.observe({ caller, model: `m${n}`, receipt: RECEIPT, durationMs: 90 });
  }
  await use.close();
  const rows = await state.audit(1000);
  expect(rows).toHaveLength(51);
  expect(rows.find(({ actor }) => actor === '(others)')).toMatchObject({
    subject: '(others)',
    outcome: '250 requests, 0 failed, 2500 tokens, $62.500000',
  });
  const views = use.views();
  expect(views).toHaveLength(257);
  expect(views.at(-1)).toMatchObject({ model: '(others)', provider: '', requests: 44 });
});
