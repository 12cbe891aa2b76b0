/** Sizes of inputs that have not run: their cost is probed, and no guess refuses them. */
import { describe, expect, test } from 'vitest';
import { inTime, simulate, type Arrival, type Outcome } from '../testing/simulation.ts';

const many = (count: number, everyMs: number, lane: string, budgetMs: number): Arrival[] =>
  Array.from({ length: count }, (_, i) => ({ at: i * everyMs, lane, budgetMs }));

describe.each([
  // 6 elements in 0.3 ms: in proportion, a million would take 50 s; they take 40 ms.
  ['6 and 1,000,000 elements', 6, 1e6, 0.3, 40, 150],
  // 32 × 32 in 0.4 ms: in proportion, 1080p would take 800 ms; it takes 200 ms.
  ['32 × 32 and 1080p', 3 * 32 * 32, 3 * 1920 * 1080, 0.4, 200, 350],
  // The same model, with a deadline that the bounded extrapolation misses too.
  ['32 × 32 and 1080p, fast', 3 * 32 * 32, 3 * 1920 * 1080, 2, 30, 60],
])('%s', (_name, small, large, smallMs, largeMs, budgetMs) => {
  const options = {
    cost: (_rows: number, lane: string): number => (lane === 'large' ? largeMs : smallMs),
    lanes: ['small'],
    elements: { small: [small], large: [large] },
    objectiveMs: budgetMs,
  };

  test('the first large request after many small ones is answered in time', () => {
    const taught = many(200, 5, 'small', budgetMs);
    const first: Arrival = { at: 1_100, lane: 'large', budgetMs };
    const { outcomes } = simulate([...taught, first], options);
    expect(inTime(outcomes)).toHaveLength(201);
  });

  test('of many at once, the first one runs and teaches; the retries of the others are accepted', () => {
    const burst = many(20, 0, 'large', budgetMs);
    const tries = new Map<Arrival, number>();
    const { outcomes } = simulate(burst, {
      ...options,
      onEnd: ({ arrival, state, retryAfterMs, finishedAt }) => {
        const tried = tries.get(arrival) ?? 0;
        if (state !== 'refused' || tried === 10) return undefined;
        const at = finishedAt + Math.ceil(retryAfterMs!);
        const again: Arrival = { at, lane: 'large', budgetMs };
        tries.set(again, tried + 1);
        return again;
      },
    });
    const answered = outcomes.filter(({ state }) => state === 'answered');
    expect(inTime(answered)).toHaveLength(answered.length);
    expect(answered.length).toBeGreaterThanOrEqual(Math.floor(budgetMs / largeMs));
  });

  test('its run changes no estimate of a size that is known', () => {
    const { scheduler } = simulate([{ at: 0, lane: 'large', budgetMs }], options);
    const { curve } = scheduler.queue.lane('large')!;
    expect(curve.p50(1)).toBeCloseTo(largeMs, 6);
    expect(curve.level).toBe(1);
  });
});

test('a deadline that smaller requests could not meet is refused, again and again', () => {
  const { outcomes } = simulate(many(10, 100, 'large', 10), {
    cost: () => 40,
    lanes: ['small'],
    elements: { small: [6], large: [1_000] },
  });
  expect(outcomes.map(({ refusal }) => refusal)).toEqual(
    outcomes.map(() => 'DEADLINE_UNREACHABLE'),
  );
});

test('a deadline that an idle node cannot meet does not open it to a burst that it cannot carry', () => {
  const options = { cost: (rows: number): number => 20 * rows, lanes: ['small'] };
  const taught = many(20, 30, 'small', 500);
  const impossible: Arrival = { at: 2_000, lane: 'small', budgetMs: 1 };
  const burst = many(300, 0, 'small', 500).map((one) => ({ ...one, at: 6_000 }));
  const { outcomes } = simulate([...taught, impossible, ...burst], options);
  const accepted = outcomes.filter(({ state }) => state !== 'refused');
  expect(accepted.length).toBeGreaterThan(20 + 15);
  expect(inTime(accepted)).toHaveLength(accepted.length);
});

describe('a probe', () => {
  const options = {
    cost: (rows: number, lane: string): number => (lane.startsWith('large') ? 600 : 20 * rows),
    lanes: ['small'],
    // Expected at the square root of the ratio, 632 ms.
    elements: { small: [1_000], large: [1e6] },
  };
  const smallOf = (outcomes: readonly Outcome[]): Outcome[] =>
    outcomes.filter(({ arrival, state }) => arrival.lane === 'small' && state !== 'refused');

  test.each([200, 500, 700])(
    'with a deadline of %i ms breaks no promise that was given before, by its expected cost',
    (budgetMs) => {
      const probe: Arrival = { at: 1, lane: 'large', budgetMs };
      const { outcomes } = simulate([...many(30, 0, 'small', 1_000), probe], options);
      expect(smallOf(outcomes)).toHaveLength(30);
      expect(inTime(smallOf(outcomes))).toHaveLength(30);
    },
  );

  test('runs as soon as no promise is in its way', () => {
    const probe: Arrival = { at: 1, lane: 'large', budgetMs: 630 };
    const { outcomes } = simulate([...many(10, 0, 'small', 1_000), probe], options);
    expect(inTime(outcomes)).toHaveLength(11);
  });

  test.each([0, 2])(
    'that runs or waits is the only one, behind %i runs on two replicas',
    (busy) => {
      const before = many(busy, 0, 'small', 1_000);
      const probes = many(3, 0, 'large', 625).map((one) => ({ ...one, at: 1 }));
      const { outcomes, scheduler } = simulate([...before, ...probes], { ...options, replicas: 2 });
      expect(outcomes.filter(({ state }) => state === 'refused')).toHaveLength(2);
      expect(scheduler.probes).toBe(1);
    },
  );

  test('that is late makes the admission of known sizes no more cautious', () => {
    const sizes = Array.from({ length: 12 }, (_, i) => `large ${i}`);
    const elements = Object.fromEntries(sizes.map((lane, i) => [lane, [1e8 / 2 ** i]]));
    const late = sizes.map((lane, i): Arrival => ({ at: i * 1_000, lane, budgetMs: 100 }));
    const burst = many(60, 0, 'small', 1_000).map((one) => ({ ...one, at: 20_000 }));
    const run = (arrivals: readonly Arrival[]) =>
      simulate(arrivals, { ...options, elements: { ...options.elements, ...elements } });

    expect(run(late).scheduler.probes).toBe(sizes.length);
    expect(inTime(run(late).outcomes)).toEqual([]);
    const alone = smallOf(run(burst).outcomes).length;
    expect(smallOf(run([...late, ...burst]).outcomes)).toHaveLength(alone);
  });
});
