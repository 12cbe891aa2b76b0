/** A call's result and its bill, for each way in which it ends. */
import type { ErrorCode } from '@skein/api/errors';
import { expect, it, vi } from 'vitest';
import type { GenerateEvent, Provider } from './contract.ts';
import { memoryBudgets } from './money/memory-budgets.ts';
import { callerOf, eventsOf, requestOf } from './testing/calls.ts';
import { model, open, puppet, text } from './testing/puppet.ts';
import { upstreamError } from './wire/upstream-error.ts';

const budgets = [{ subject: 'all', tokens: 100_000 }];

/** Tokens that a budget counts once a call has failed with a code, before or after its first text. */
async function takenBy(code: ErrorCode, events: readonly GenerateEvent[]): Promise<number> {
  const provider: Provider = {
    name: 'p',
    async *generate() {
      yield* events;
      throw upstreamError(code, { provider: 'p', message: 'x' });
    },
    close: async () => {},
  };
  const gateway = await open(
    { models: [model('m', 'p')], budgets },
    { providers: [provider], state: { budgets: memoryBudgets() } as never },
  );
  const asked = gateway.generate(requestOf('m', { maxTokens: 1000 }), callerOf());
  await expect(asked.then(eventsOf)).rejects.toMatchObject({ code });
  await gateway.close();
  return (await gateway.view()).budgets[0]!.taken;
}

it.each<[ErrorCode, boolean]>([
  ['PROVIDER_UNREACHABLE', false],
  ['PROVIDER_BUSY', false],
  ['PROVIDER_QUOTA', false],
  ['PROVIDER_DENIED', false],
  ['PROVIDER_REJECTED', false],
  ['PROVIDER_FAILED', false],
  ['GENERATION_UNSUPPORTED', false],
  ['CONTENT_FILTERED', false],
  ['CONTEXT_TOO_LONG', false],
  ['PROVIDER_TIMEOUT', true],
  ['PROVIDER_CUT', true],
])('%s before the first text is billed: %s; after it, it is', async (code, isBilled) => {
  expect((await takenBy(code, [])) > 0).toBe(isBilled);
  const taken = await takenBy(code, [text('some words that were sent')]);
  expect(taken).toBeGreaterThan(0);
  expect(taken).toBeLessThan(100);
});

it('is made for the tenants of its model alone', async () => {
  const { provider, state } = puppet('p');
  const settings = { models: [{ ...model('m', 'p'), tenants: ['ward'] }] };
  const gateway = await open(settings, { providers: [provider] });
  const asked = gateway.generate(requestOf('m'), callerOf({ tenant: 'other' }));
  await expect(asked).rejects.toMatchObject({ code: 'MODEL_UNKNOWN' });
  expect(state.calls).toBe(0);
  await eventsOf(await gateway.generate(requestOf('m'), callerOf({ tenant: 'ward' })));
  expect(state.calls).toBe(1);
});

it('gives its place back when no budget has enough for it', async () => {
  const { provider, state } = puppet('p');
  const poor = [{ subject: 'all', tokens: 1 }];
  const settings = { models: [model('m', 'p')], budgets: poor };
  const gateway = await open(settings, { providers: [provider] });
  const asked = gateway.generate(requestOf('m'), callerOf());
  await expect(asked).rejects.toMatchObject({ code: 'BUDGET_SPENT' });
  expect((await gateway.view()).models[0]!.routes[0]).toMatchObject({ running: 0, waiting: 0 });
  expect(state.calls).toBe(0);
});

it('waits for its place by its priority', async () => {
  const { provider, state } = puppet('p');
  const go = Promise.withResolvers<void>();
  state.go = go.promise;
  const declared = { name: 'p', kind: 'openai', maxConcurrent: 1 } as const;
  const gateway = await open(
    { providers: [declared], models: [model('m', 'p')] },
    { factories: { openai: async () => provider } },
  );
  const order: string[] = [];
  const ask = async (name: string, priority: number): Promise<void> => {
    const answer = await gateway.generate(requestOf('m'), callerOf({ priority }));
    order.push(name);
    await eventsOf(answer);
  };
  const asked = [ask('first', 0)];
  await vi.waitFor(() => expect(state.calls).toBe(1), { timeout: 30_000 });
  asked.push(ask('middle', 0), ask('late', 5), ask('urgent', 1));
  go.resolve();
  await Promise.all(asked);
  expect(order).toEqual(['first', 'urgent', 'middle', 'late']);
});
