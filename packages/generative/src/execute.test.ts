/** How a model's routes are asked: which wait, which are hedged, which callers are in a hurry, what is learned. */
import { LanguageModel } from '@skein/api';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Caller } from './contract.ts';
import { execute } from './execute.ts';
import type { Execution, Start } from './execution.ts';
import { route } from './routing/choose.ts';
import { openLedger } from './money/ledger.ts';
import { memoryBudgets } from './money/memory-budgets.ts';
import { promptTokens } from './money/price.ts';
import { createHedgeBudget } from './routing/hedge-budget.ts';
import { createPlaces } from './routing/places.ts';
import { createRoute } from './routing/route.ts';
import { callerOf, requestOf } from './testing/calls.ts';
import { puppet } from './testing/puppet.ts';
import { HEDGE_MARGIN } from './tuning.ts';
import { upstreamError } from './wire/upstream-error.ts';

const clock = { now: () => Date.now() };
const request = requestOf('m', { stream: false });
const prompt = promptTokens(request, undefined);
const worst = { inputTokens: 1, outputTokens: 1 };
/** Usual time to the first token so far, in milliseconds. */
const USUAL_MS = 100;
const failed = upstreamError('PROVIDER_FAILED', { provider: 'a', message: 'x' });

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Two routes that are known to take the usual time, and a hedge to spend. */
function executionOf(caller: Partial<Caller> = {}) {
  const puppets = ['a', 'b'].map((name) => puppet(name));
  const settings = LanguageModel.parse({
    name: 'm',
    routes: puppets.map(({ provider }) => ({ provider: provider.name, model: 'm' })),
    ttftMs: 1000,
    deadlineMs: 1000,
  });
  const routes = puppets.map(({ provider }, index) =>
    createRoute(
      index,
      settings.routes[index]!,
      provider,
      createPlaces(1, () => 1, clock),
    ),
  );
  for (const { times } of routes)
    for (let n = 0; n < 20; n++) times.record(USUAL_MS, prompt.expected);
  const hedges = createHedgeBudget();
  for (let n = 0; n < 20; n++) hedges.earn();
  const execution: Execution = {
    model: { settings, routes, hedges },
    routes,
    caller: callerOf({ arrivedAt: clock.now(), ...caller }),
    ledger: openLedger([], memoryBudgets()),
    clock,
    random: () => 0,
  };
  return { execution, puppets, routes };
}

it('hedges a little after the time that is usual, and the hedge does not wait for a place', async () => {
  const { execution } = executionOf();
  const starts: (Start & { readonly atMs: number })[] = [];
  const since = clock.now();
  const asked = route(execution, prompt, worst, (start) => {
    starts.push({ ...start, atMs: clock.now() - since });
    const content = new Promise<string>((resolve) => setTimeout(resolve, 400, 'answered'));
    return { content, cancel() {} };
  });
  await vi.advanceTimersByTimeAsync(1000);
  await expect(asked).resolves.toEqual({ result: 'answered', attempts: 2 });
  expect(starts.map(({ atMs }) => atMs)).toEqual([0, USUAL_MS * HEDGE_MARGIN]);
  expect(starts[0]!.longestWaitMs).toBeGreaterThan(0);
  expect(starts[1]!.longestWaitMs).toBe(0);
});

it.each<[string, Partial<Caller>, readonly boolean[]]>([
  ['has less time than the model gives each route', { deadline: 900 }, [true, false]],
  ['has more time', { deadline: 5000 }, [false, false]],
  ['names no time, and has come a while ago', { arrivedAt: -200 }, [false, false]],
])('blames no provider for a caller in a hurry: one that %s', async (_, caller, expected) => {
  vi.setSystemTime(0);
  const { execution } = executionOf({ arrivedAt: 0, ...caller });
  const hurried: boolean[] = [];
  const asked = route(execution, prompt, worst, ({ isHurried }) => {
    hurried.push(isHurried);
    return { content: Promise.reject<string>(failed), cancel() {} };
  });
  await expect(asked).rejects.toBe(failed);
  expect(hurried).toEqual(expected);
});

it('learns of a route that a faster one has overtaken how slow it was at least', async () => {
  const { execution, puppets, routes } = executionOf();
  puppets[0]!.state.go = new Promise(() => {});
  const asked = execute(execution, request);
  await vi.advanceTimersByTimeAsync(500);
  expect((await asked).route).toBe(routes[1]);
  const [slow, quick] = routes.map(({ times }) => times.predict(prompt.expected, 1));
  expect(slow).toBe(USUAL_MS * HEDGE_MARGIN);
  expect(quick).toBe(USUAL_MS);
});
