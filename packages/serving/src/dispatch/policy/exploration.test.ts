import { seededRandom } from '@skein/onnx';
import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { rowsToTry, type MeasuredCosts, type ExplorationView } from './exploration.ts';
import { simulate, type Arrival } from '../testing/simulation.ts';

const VIEW: ExplorationView = {
  decision: 4,
  goodRows: 8,
  mostRows: 32,
  longestMs: 1_000,
  slackMs: 1_000,
};
/** 8 rows take 80 ms, every other size takes twice as long per row; all have just run. */
const KNOWN: MeasuredCosts = {
  isGuess: () => false,
  p50: (rows) => (rows === 8 ? 10 : 20) * rows,
  p99: (rows) => 30 * rows,
  restedMs: () => 0,
};
const rested = (ms: number, size: number): MeasuredCosts => ({
  ...KNOWN,
  restedMs: (rows) => (rows === size ? ms : 0),
});

function tried(from: number, to: number, measured: MeasuredCosts): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) =>
    rowsToTry({ ...VIEW, decision: from + i }, measured),
  ).filter((rows) => rows !== VIEW.goodRows);
}

describe('a size with an estimated cost', () => {
  const fresh = { ...KNOWN, isGuess: () => true };

  it('is tried next to the best measured one, larger and smaller alternately', () => {
    expect(tried(1, 16, fresh)).toEqual([4, 16, 4, 16]);
  });

  it('is never less than one row', () => {
    for (let decision = 1; decision <= 200; decision++) {
      expect(rowsToTry({ ...VIEW, goodRows: 1, decision }, fresh)).toBeGreaterThanOrEqual(1);
    }
  });
});

describe('a size with a measured cost', () => {
  it('is not tried before the runs since its last one have paid for it', () => {
    expect(tried(1, 200, KNOWN)).toEqual([]);
    expect(tried(1, 200, rested(1_900, 1))).toEqual([]);
  });

  it('is tried when they have, sooner if it seems to cost less', () => {
    // 10 ms dearer than its row in a run of 8; 40 ms for 4 rows.
    expect(rowsToTry(VIEW, rested(2_600, 1))).toBe(1);
    expect(rowsToTry(VIEW, rested(2_600, 4))).toBe(8);
    expect(rowsToTry(VIEW, rested(10_100, 4))).toBe(4);
  });

  it('is tried only if time is free, enough rows are queued, and its run is short enough', () => {
    const measured = rested(1e9, 16);
    expect(rowsToTry(VIEW, measured)).toBe(16);
    expect(rowsToTry({ ...VIEW, slackMs: 150 }, measured)).toBe(8);
    expect(rowsToTry({ ...VIEW, mostRows: 15 }, measured)).toBe(8);
    expect(rowsToTry({ ...VIEW, longestMs: 470 }, measured)).toBe(8);
  });

  test('all tries together cost no more than a small part of the time, however slow they are', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.5, max: 20, noNaN: true }), { minLength: 6, maxLength: 6 }),
        fc.nat(5),
        (factors, best) => {
          const good = 2 ** best;
          const cost = (rows: number): number =>
            rows * (rows === good ? 0.5 : factors[Math.log2(rows)]!);
          let busyMs = 0;
          let wasted = 0;
          const ranAt = new Map<number, number>();
          const measured: MeasuredCosts = {
            isGuess: () => false,
            p50: cost,
            p99: cost,
            restedMs: (rows) => busyMs - (ranAt.get(rows) ?? 0),
          };
          for (let decision = 1; decision <= 2_000; decision++) {
            const view = { ...VIEW, decision, goodRows: good, longestMs: 1e9, slackMs: 1e9 };
            const rows = rowsToTry(view, measured);
            busyMs += cost(rows);
            ranAt.set(rows, busyMs);
            wasted += cost(rows) - 0.5 * rows;
          }
          expect(wasted).toBeLessThanOrEqual(0.02 * busyMs + 1e-6);
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe('a node under steady load', () => {
  /** One row is best; two and more cost a quarter more each. */
  const truth = (rows: number): number => (rows === 1 ? 10 : 12.5 * rows);
  const gauss = (random: { next(): number }): number =>
    Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());

  /** Rows per second of each second, in a closed loop. */
  function throughput(
    seconds: number,
    seed: number,
    spread: number,
    cost: (rows: number, now: number) => number,
    connections = 16,
  ): number[] {
    const random = seededRandom(seed);
    const start = Array.from({ length: connections }, (_, i): Arrival => ({
      at: i,
      budgetMs: 10_000,
    }));
    const { outcomes } = simulate(start, {
      cost: (rows, _lane, now) => cost(rows, now) * Math.exp(spread * gauss(random)),
      objectiveMs: 10_000,
      onEnd: ({ finishedAt }) =>
        finishedAt < seconds * 1_000 ? { at: finishedAt + 0.3, budgetMs: 10_000 } : undefined,
    });
    const perSecond = Array.from({ length: seconds }, () => 0);
    for (const { finishedAt, state } of outcomes) {
      const second = Math.floor(finishedAt / 1_000);
      if (state === 'answered' && second < seconds) perSecond[second]!++;
    }
    return perSecond;
  }
  const meanOf = (numbers: readonly number[]): number =>
    numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

  test.each([
    ['its first runs were slow', 0.05, (now: number) => (now < 600 ? 2 : 1)],
    ['it was warmed under a passing load', 0.05, (now: number) => (now === 0 ? 3 : 1)],
    ['its first runs were slow, and runs vary', 0.2, (now: number) => (now < 600 ? 2 : 1)],
    ['it was slow for a while', 0.05, (now: number) => (now > 2_000 && now < 4_000 ? 2 : 1)],
  ])('returns to the best size although %s', (_name, spread, slowed) => {
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const cost = (rows: number, now: number): number =>
        truth(rows) * (rows === 1 ? slowed(now) : 1);
      const perSecond = throughput(16, seed, spread, cost);
      expect(meanOf(perSecond.slice(10))).toBeGreaterThan(spread > 0.1 ? 92 : 96);
    }
  });

  test('follows a model whose best size changes', () => {
    for (const seed of [1, 2, 3]) {
      // From large batches to single rows.
      const cost = (rows: number, now: number): number =>
        now < 8_000 ? 80 + 5 * rows : truth(rows);
      const perSecond = throughput(70, seed, 0.05, cost, 40);
      expect(meanOf(perSecond.slice(55))).toBeGreaterThan(90);
    }
  });

  test('loses little by trying sizes that are no better', () => {
    for (const seed of [1, 2, 3]) {
      expect(meanOf(throughput(16, seed, 0.05, truth))).toBeGreaterThan(97);
      expect(meanOf(throughput(16, seed, 0.2, truth))).toBeGreaterThan(93);
    }
  });
});
