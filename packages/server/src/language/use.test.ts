import { openSqliteState } from '@skein/state';
import { expect, onTestFinished, test } from 'vitest';
import { strictLogger } from '../testing/fake-inference.ts';
import { countLanguageUse } from './use.ts';

test('the audit sums the requests of a caller and a model, with tokens and cost', async () => {
  const state = await openSqliteState(':memory:');
  onTestFinished(() => state.close());
  const use = countLanguageUse(state, strictLogger);
  const caller = { requestId: 'r', tenant: 'shop', key: 'k1' };
  const receipt = {
    provider: 'up',
    model: 'assistant',
    usage: { inputTokens: 7, outputTokens: 3 },
    costUsd: 0.25,
    cache: 'miss' as const,
    attempts: 1,
    ttftMs: 40,
  };
  for (let n = 0; n < 3; n++) use.observe({ caller, model: 'assistant', receipt, durationMs: 90 });
  use.observe({ caller, model: 'assistant', error: 'BUDGET_SPENT', durationMs: 1 });
  // A name of a caller is no row and no series.
  use.observe({ caller, model: 'gpt-9', error: 'MODEL_UNKNOWN', durationMs: 1 });
  await use.close();
  expect(await state.audit(10)).toMatchObject([
    {
      actor: 'k1',
      action: 'generate',
      subject: 'assistant (shop)',
      outcome: '4 requests, 1 failed, 30 tokens, $0.750000',
    },
  ]);
  expect(use.views()).toMatchObject([
    {
      model: 'assistant',
      provider: 'up',
      requests: 3,
      failed: 0,
      ttftMs: { p50: 50, p99: 50 },
      tokensPerSecond: 60,
    },
    { model: 'assistant', provider: '', requests: 1, failed: 1 },
  ]);
});
