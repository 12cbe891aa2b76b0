/** Reservations, spending and held places, over every way in which a call may end. */
import * as fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { LanguageSettings, SkeinError } from '@skein/api';
import type { State } from '@skein/state';
import { NOTHING } from './call.ts';
import type { Caller, Provider, Usage } from './contract.ts';
import { openGateway } from './gateway.ts';
import { memoryBudgets } from './money/memory-budgets.ts';
import { promptTokens } from './money/price.ts';
import { callerOf, requestOf } from './testing/calls.ts';
import { upstreamError } from './wire/upstream-error.ts';

const LIMIT = 2000;
const PROMPT = promptTokens(requestOf('m')).expected;
/** Expected tokens of the text that is embedded. */
const EMBEDDED = 10;
const ENDS = ['whole', 'silent', 'fails', 'cut', 'bills too much'] as const;
type End = (typeof ENDS)[number];
/** Tokens that one call may be over its worst case by. */
const EXCESS = 500;

const callArbitrary = fc.record({
  end: fc.constantFrom(...ENDS),
  kind: fc.constantFrom('stream', 'whole', 'embed'),
  maxTokens: fc.integer({ min: 1, max: 300 }),
  /** Leaves after so many microtasks. */
  leavesAfter: fc.option(fc.nat({ max: 40 }), { nil: undefined }),
  readsIt: fc.boolean(),
});
type CallPlan = typeof callArbitrary extends fc.Arbitrary<infer Plan> ? Plan : never;

/** By the messages or the inputs of the call. */
const plans = new WeakMap<object, CallPlan>();

/** A provider whose calls end as they are planned, and the bounds of what they cost. */
function metered() {
  const bill = { least: 0, most: 0 };
  function sent(content: object, expected: number): End {
    const { end, leavesAfter } = plans.get(content)!;
    const isFree = end === 'fails';
    if (!isFree) bill.least += expected;
    // A caller that leaves before the failure is known is billed.
    if (!isFree || leavesAfter !== undefined) bill.most += expected + 1;
    if (end === 'bills too much') bill.most += EXCESS;
    return end;
  }
  const silence = (signal: AbortSignal): Promise<never> =>
    new Promise((_, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
  const failed = (code: 'PROVIDER_FAILED' | 'PROVIDER_CUT') =>
    upstreamError(code, { provider: 'p', message: 'x' });
  const provider: Provider = {
    name: 'p',
    async *generate({ messages }, { signal }) {
      const end = sent(messages, PROMPT);
      if (end === 'fails') throw failed('PROVIDER_FAILED');
      if (end === 'silent') await silence(signal);
      yield { type: 'text', text: 'a' };
      if (end === 'cut') throw failed('PROVIDER_CUT');
      yield { type: 'finish', reason: 'stop' };
      const outputTokens = end === 'bills too much' ? EXCESS : 1;
      yield { type: 'usage', usage: { inputTokens: PROMPT, outputTokens } };
    },
    async embed({ inputs }, { signal }) {
      const end = sent(inputs, EMBEDDED);
      if (end === 'fails') throw failed('PROVIDER_FAILED');
      if (end === 'silent') await silence(signal);
      const inputTokens = end === 'bills too much' ? EMBEDDED + EXCESS : EMBEDDED;
      return { vectors: [], usage: { inputTokens, outputTokens: 0 } };
    },
    close: async () => {},
  };
  return { provider, bill };
}

async function open() {
  const { provider, bill } = metered();
  const budgets = memoryBudgets();
  let overdrawn = false;
  const watched: typeof budgets = {
    ...budgets,
    async takeBudget(block) {
      const taken = await budgets.takeBudget(block);
      // A store over the network takes some turns.
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
      overdrawn ||= (await budgets.takenBudget(block.budget)) > LIMIT;
      return taken;
    },
  };
  const settings = LanguageSettings.parse({
    models: [
      {
        name: 'm',
        routes: [{ provider: 'p', model: 'm' }],
        ttftMs: 10,
        deadlineMs: 5,
        cache: false,
        hedge: false,
      },
    ],
    budgets: [{ subject: 'all', tokens: LIMIT, period: 'month' }],
  });
  const state = { budgets: watched } as State;
  // Nothing is late by this clock before it is sent; timers run all the same.
  const clock = { now: () => 0 };
  let reported = 0;
  const report = (usage: Usage = NOTHING): void => {
    reported += usage.inputTokens + usage.outputTokens;
  };
  const gateway = await openGateway({
    settings,
    state,
    providers: [provider],
    clock,
    observe: ({ receipt }) => report(receipt?.usage),
    observeLoss: ({ usage }) => report(usage),
  });
  return { gateway, bill, budgets, isOverdrawn: () => overdrawn, reported: () => reported };
}

type Opened = Awaited<ReturnType<typeof open>>;

async function play({ gateway }: Opened, plan: CallPlan): Promise<void> {
  const gone = new AbortController();
  const caller: Caller = callerOf({ arrivedAt: 0, signal: gone.signal });
  const leaving = (async () => {
    for (let turn = 0; turn < (plan.leavesAfter ?? 0); turn++) await Promise.resolve();
    if (plan.leavesAfter !== undefined) gone.abort(new SkeinError('CANCELLED', 'left'));
  })();
  try {
    if (plan.kind === 'embed') {
      const inputs = ['x'.repeat(36)];
      plans.set(inputs, plan);
      await gateway.embed({ model: 'm', inputs }, caller);
      return;
    }
    const stream = plan.kind === 'stream';
    const request = requestOf('m', { stream, maxTokens: plan.maxTokens });
    plans.set(request.messages, plan);
    const generation = await gateway.generate(request, caller);
    // A caller that leaves may never have read.
    if (!plan.readsIt && plan.leavesAfter !== undefined) return;
    for await (const _ of generation.events);
  } catch (error) {
    expect(error).toMatchObject({
      code: expect.stringMatching(/^(CANCELLED|BUDGET_SPENT|PROVIDER_(TIMEOUT|FAILED|CUT))$/),
    });
  } finally {
    await leaving;
  }
}

it('never overspends a budget, and leaves no place or reservation behind', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(callArbitrary, { minLength: 1, maxLength: 12 }), async (calls) => {
      const opened = await open();
      const { gateway, bill, budgets, reported } = opened;
      await Promise.all(calls.map((plan) => play(opened, plan)));
      const running = async () => (await gateway.view()).models[0]!.routes[0]!.running;
      await vi.waitFor(async () => expect(await running()).toBe(0), { timeout: 30_000 });
      expect(opened.isOverdrawn()).toBe(false);
      await gateway.close();
      const month = new Date().toISOString().slice(0, 7);
      const taken = await budgets.takenBudget(`all tokens month ${month}`);
      // A provider that counts more than it was held to may go past the limit, no request does.
      expect(taken).toBeGreaterThanOrEqual(Math.min(LIMIT, bill.least));
      expect(taken).toBeLessThanOrEqual(Math.min(LIMIT, bill.most));
      // Every token that was paid is on a receipt, or among the losses.
      expect(taken).toBe(Math.min(LIMIT, reported()));
    }),
    { numRuns: 150, seed: 9 },
  );
});
