import { LanguageBudget, SkeinError, TokenPrice } from '@skein/api';
import { openState, type State } from '@skein/state';
import * as fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { startRedis } from '../../../jobs/src/store/testing/redis-server.ts';
import { openLedger, periodAt, type Ledger, type Reservation } from './ledger.ts';
import { memoryBudgets } from './memory-budgets.ts';
import { costOf, NANO_DOLLARS, promptTokens } from './price.ts';

const caller = { tenant: 'a', key: 'k' };
const dollars = (usd: number) => ({ nanoDollars: usd * NANO_DOLLARS, tokens: 1000 });
const budget = (subject: string, more: object) => LanguageBudget.parse({ subject, ...more });

async function openMemory(): Promise<State[]> {
  const state = await openState(':memory:');
  onTestFinished(() => state.close());
  return [state, state];
}

async function openFleet(): Promise<State[]> {
  const redis = await startRedis();
  onTestFinished(() => redis.destroy());
  const states = [await openState(redis.url), await openState(redis.url)];
  onTestFinished(async () => {
    await Promise.all(states.map((state) => state.close()));
  });
  return states;
}

const PLACES = [
  { name: 'SQLite', skip: false, open: openMemory },
  { name: 'two nodes over Redis', skip: requireComponent('redis').skip, open: openFleet },
];

describe.each(PLACES)('budgets in $name', ({ skip, open }) => {
  it.skipIf(skip)('are never overspent by requests at once, whatever is settled', async () => {
    const states = await open();
    const step = fc.record({
      worst: fc.integer({ min: 1, max: 40 }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      member: fc.integer({ min: 0, max: 1 }),
    });
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        round += 1;
        const tenant = `t${round}`;
        const limits = [budget(`tenant:${tenant}`, { tokens: 100 }), budget('all', { usd: 1e6 })];
        const ledgers = states.map((state) => openLedger(limits, state.budgets));
        let spent = 0;
        const results = await Promise.allSettled(
          steps.map(async ({ worst, share, member }) => {
            const reservation = await ledgers[member]!.reserve(
              { tenant },
              { nanoDollars: 1, tokens: worst },
            );
            await Promise.resolve();
            const tokens = Math.floor(worst * share);
            spent += tokens;
            expect(spent).toBeLessThanOrEqual(100);
            reservation.settle({ nanoDollars: 1, tokens });
          }),
        );
        const failures = results.filter((each) => each.status === 'rejected');
        for (const { reason } of failures) expect(reason).toMatchObject({ code: 'BUDGET_SPENT' });
        await Promise.all(ledgers.map((ledger) => ledger.close()));
        // Tokens given back and not spent can be reserved again, to the last token.
        const last = openLedger(limits, states[0]!.budgets);
        const left = 100 - spent;
        const rest = await last.reserve({ tenant }, { nanoDollars: 0, tokens: left });
        await expect(last.reserve({ tenant }, { nanoDollars: 0, tokens: 1 })).rejects.toThrow(
          SkeinError,
        );
        rest.settle({ nanoDollars: 0, tokens: 0 });
        await last.close();
      }),
      { numRuns: 25, seed: 4 },
    );
  });
});

describe('a ledger', () => {
  const open = (limits: readonly LanguageBudget[], now?: () => number): Ledger =>
    openLedger(limits, memoryBudgets(now), now);

  it('touches no budget when one of them has too little', async () => {
    const ledger = open([budget('all', { usd: 5 }), budget('tenant:a', { usd: 1 })]);
    await expect(ledger.reserve(caller, dollars(2))).rejects.toMatchObject({
      code: 'BUDGET_SPENT',
      message: expect.stringContaining('tenant:a'),
    });
    const other: Reservation = await ledger.reserve({ tenant: 'b' }, dollars(5));
    other.settle(dollars(0));
  });

  it('counts a key, a tenant and all, money and tokens, and only theirs', async () => {
    const ledger = open([budget('key:k', { tokens: 1500 })]);
    await ledger.reserve(caller, dollars(1));
    await expect(ledger.reserve(caller, dollars(1))).rejects.toMatchObject({
      code: 'BUDGET_SPENT',
    });
    await ledger.reserve({ tenant: 'a', key: 'other' }, dollars(1e6));
    expect(ledger.counts({ tenant: 'a' })).toBe(false);
  });

  it('refuses until the period ends, and names its end', async () => {
    let now = Date.UTC(2030, 0, 31, 23, 58, 30);
    const ledger = open([budget('all', { usd: 1 })], () => now);
    await ledger.reserve(caller, dollars(1));
    const refusal = await ledger.reserve(caller, dollars(1)).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'BUDGET_SPENT', retryAfterMs: 90_000 });
    now += 90_000;
    await ledger.reserve(caller, dollars(1));
  });

  it.each(['while it is open', 'after it was closed and opened again'])(
    'makes up for a provider that counted more than the worst case, %s',
    async (when) => {
      const store = memoryBudgets();
      const limits = [budget('all', { tokens: 100 })];
      let ledger = openLedger(limits, store);
      const first = await ledger.reserve(caller, { nanoDollars: 0, tokens: 10 });
      first.settle({ nanoDollars: 0, tokens: 95 });
      if (when.startsWith('after')) {
        await ledger.close();
        ledger = openLedger(limits, store);
      }
      const tokens = (count: number) => ledger.reserve(caller, { nanoDollars: 0, tokens: count });
      await expect(tokens(6)).rejects.toThrow(SkeinError);
      await tokens(5);
    },
  );

  it('gives back a large worst case when it is settled: others must not find the budget spent', async () => {
    const store = memoryBudgets();
    const limits = [budget('all', { tokens: 100 })];
    const tokens = (count: number) => ({ nanoDollars: 0, tokens: count });
    const [one, two] = [openLedger(limits, store), openLedger(limits, store)];
    const first = await one.reserve(caller, tokens(90));
    first.settle(tokens(5));
    const other = await two.reserve(caller, tokens(90));
    // A member that is killed now loses one block at most.
    expect((await two.standings())[0]!.taken).toBeLessThanOrEqual(97);
    other.settle(tokens(90));
    await expect(one.reserve(caller, tokens(6))).rejects.toThrow(SkeinError);
    (await one.reserve(caller, tokens(5))).settle(tokens(5));
  });

  it('settles a reservation once', async () => {
    const ledger = open([budget('all', { tokens: 100 })]);
    const tokens = (count: number) => ({ nanoDollars: 0, tokens: count });
    const first = await ledger.reserve(caller, tokens(100));
    first.settle(tokens(50));
    first.settle(tokens(0));
    await ledger.reserve(caller, tokens(50));
    await expect(ledger.reserve(caller, tokens(1))).rejects.toThrow(SkeinError);
  });

  it('gives back what it has reserved when the store of another budget fails', async () => {
    const store = memoryBudgets();
    const failing: typeof store = {
      ...store,
      async takeBudget(request) {
        if (request.budget.startsWith('tenant:a')) throw new SkeinError('STORE_UNREACHABLE', 'x');
        return store.takeBudget(request);
      },
    };
    const ledger = openLedger([budget('all', { usd: 5 }), budget('tenant:a', { usd: 1 })], failing);
    const refused = ledger.reserve(caller, dollars(1));
    await expect(refused).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    const other = ledger.reserve({ tenant: 'b' }, dollars(5));
    await expect(other).resolves.toMatchObject({ worst: dollars(5) });
  });

  it('gives back what it holds of a budget that no request has touched for a while', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const store = memoryBudgets();
    const givenBack = vi.spyOn(store, 'giveBackBudget');
    const ledger = openLedger([budget('all', { tokens: 6400, period: 'minute' })], store);
    const spend = async () => {
      const one = { nanoDollars: 0, tokens: 1 };
      (await ledger.reserve(caller, one)).settle(one);
    };
    const taken = async () => (await ledger.standings())[0]!.taken;
    vi.setSystemTime(0);
    await spend();
    await vi.advanceTimersByTimeAsync(4000);
    await spend();
    // A block serves the next requests too.
    await vi.advanceTimersByTimeAsync(4000);
    expect(await taken()).toBe(100);
    await vi.advanceTimersByTimeAsync(2000);
    expect(await taken()).toBe(2);
    await vi.advanceTimersByTimeAsync(49_000);
    await spend();
    expect(givenBack).toHaveBeenCalledTimes(1);
    // The store drops the budget with its period.
    await vi.advanceTimersByTimeAsync(60_000);
    expect(givenBack).toHaveBeenCalledTimes(1);
    await ledger.close();
  });

  it('counts what the node asks of its own accord in the budgets of all and of the operator', async () => {
    const limits = [budget('all', { usd: 5 }), budget('operator', { usd: 1 })];
    const ledger = open([...limits, budget('tenant:a', { usd: 0.1 })]);
    await ledger.reserve('operator', dollars(1));
    await expect(ledger.reserve('operator', dollars(1))).rejects.toMatchObject({
      message: expect.stringContaining('operator'),
    });
    await ledger.reserve({ tenant: 'b' }, dollars(4));
    await expect(ledger.reserve({ tenant: 'b' }, dollars(1))).rejects.toThrow(SkeinError);
  });

  it('gives back what is settled after it was closed', async () => {
    const store = memoryBudgets();
    const limits = [budget('all', { tokens: 100 })];
    const ledger = openLedger(limits, store);
    const first = await ledger.reserve(caller, { nanoDollars: 0, tokens: 60 });
    await ledger.close();
    first.settle({ nanoDollars: 0, tokens: 1 });
    const next = openLedger(limits, store).reserve(caller, { nanoDollars: 0, tokens: 99 });
    await expect(next).resolves.toMatchObject({ worst: { tokens: 99 } });
  });
});

it('prices tokens to the nano-dollar, and cached ones by their own price', () => {
  const price = { input: 0.15, output: 0.6, cachedInput: 0.0375 };
  const usage = { inputTokens: 1000, outputTokens: 10, cachedInputTokens: 400 };
  expect(costOf(price, usage)).toBe(600 * 150 + 400 * 37.5 + 10 * 600);
  expect(costOf({ input: 0.1, output: 0.2 }, { inputTokens: 1, outputTokens: 1 })).toBe(300);
  expect(costOf(undefined, usage)).toBe(0);
  // More than what is reserved for a prompt.
  expect(TokenPrice.safeParse({ ...price, cachedInput: 0.16 }).success).toBe(false);
});

it('bounds the tokens of a prompt by its bytes', () => {
  const text = 'häuser 🏠';
  const content = [{ type: 'text' as const, text }];
  const { most, expected } = promptTokens({
    model: 'm',
    stream: true,
    messages: [{ role: 'user', content }],
  });
  expect(most).toBeGreaterThanOrEqual(Buffer.byteLength(text));
  expect(expected).toBeLessThan(most);
});

it('begins a minute, a day and a month in UTC', () => {
  const now = Date.UTC(2030, 11, 31, 23, 59, 30);
  const next = Date.UTC(2031, 0, 1);
  expect(periodAt('minute', now)).toEqual({ name: '2030-12-31T23:59', endsAt: next });
  expect(periodAt('day', now)).toEqual({ name: '2030-12-31', endsAt: next });
  expect(periodAt('month', now)).toEqual({ name: '2030-12', endsAt: next });
});
