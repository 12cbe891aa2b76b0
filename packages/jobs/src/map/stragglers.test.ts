/** Which pieces get a second copy: by simulated stages, and by the bounds of the rule. */
import { seededRandom } from '@skein/onnx';
import { describe, expect, it } from 'vitest';
import { copied, stragglers, type PieceRun } from './stragglers.ts';

const ended = (ms?: number): PieceRun => ({ state: 'ended', ms, worker: 'a', hasCopy: false });
const running = (ms: number, changes: Partial<PieceRun> = {}): PieceRun => ({
  state: 'running',
  ms,
  worker: 'a',
  hasCopy: false,
  ...changes,
});

describe('stragglers', () => {
  it('are pieces that run for more than twice the median', () => {
    const pieces = [ended(4000), running(8001), ended(4000), ended(9000), running(7999)];
    expect(stragglers(pieces)).toEqual([1]);
  });

  it('run for more than five seconds, however short the others are', () => {
    expect(stragglers([ended(10), ended(10), running(4999)])).toEqual([]);
    expect(stragglers([ended(10), ended(10), running(5001)])).toEqual([2]);
  });

  it('are none until more than half of the pieces have ended', () => {
    expect(stragglers([ended(10), running(60_000)])).toEqual([]);
    const late = [running(60_000), running(70_000)];
    expect(stragglers([ended(10), ended(10), ...late])).toEqual([]);
    expect(stragglers([ended(10), ended(10), ended(10), ...late])).toEqual([4, 3]);
  });

  it('are neither copied before, nor waiting, nor without a piece to compare with', () => {
    const late = running(60_000, { hasCopy: true });
    expect(stragglers([ended(10), ended(10), late])).toEqual([]);
    expect(stragglers([ended(10), ended(10), running(60_000, { state: 'waiting' })])).toEqual([]);
    expect(stragglers([ended(), ended(), running(60_000)])).toEqual([]);
  });

  it('are copied where a worker has capacity that does not run the piece', () => {
    const resources = { cores: 1, memoryBytes: 10 };
    const pieces = [running(1), running(2, { worker: 'b' })];
    const of = (...workers: [string, number, number][]) =>
      copied(
        [1, 0],
        pieces,
        resources,
        workers.map(([worker, cores, memoryBytes]) => ({ worker, free: { cores, memoryBytes } })),
      );
    expect(of(['a', 1, 10])).toEqual([1]);
    expect(of(['a', 0.9, 10], ['b', 1, 9])).toEqual([]);
    expect(of(['c', 2, 20])).toEqual([1, 0]);
    expect(of(['c', 1, 20])).toEqual([1]);
    expect(of(['a', 1, 10], ['b', 1, 10])).toEqual([1, 0]);
  });
});

const WORKERS = 4;
const PIECES = 12;
const STEP_MS = 500;

/** A stage of pieces of about 10 s on four workers; the first is `slowness` times as slow as the others. */
function simulate(seed: number, slowness: number, isCopying: boolean) {
  const random = seededRandom(seed);
  const works = Array.from({ length: PIECES }, () => 5000 + random.next() * 10_000);
  const tries: { piece: number; worker: number; begun: number; ends: number; isCopy: boolean }[] =
    [];
  const doneAt = new Map<number, number>();
  const copies = new Set<number>();
  let next = 0;
  let now = 0;
  const isOpen = ({ piece, ends }: (typeof tries)[number]): boolean =>
    ends > now && !((doneAt.get(piece) ?? Infinity) <= now);
  const start = (piece: number, isCopy: boolean): boolean => {
    const busy = new Set(tries.filter(isOpen).map(({ worker }) => worker));
    const worker = Array.from({ length: WORKERS }, (_, at) => at).find((at) => !busy.has(at));
    if (worker === undefined) return false;
    const ends = now + works[piece]! * (worker === 0 ? slowness : 1);
    tries.push({ piece, worker, begun: now, ends, isCopy });
    return true;
  };
  for (; doneAt.size < PIECES; now += STEP_MS) {
    for (const { piece, ends } of tries) {
      if (ends <= now && !doneAt.has(piece)) doneAt.set(piece, ends);
    }
    while (next < PIECES && start(next, false)) next += 1;
    if (!isCopying) continue;
    const pieces = works.map((_, piece): PieceRun => {
      const first = tries.find((each) => each.piece === piece && !each.isCopy);
      const end = doneAt.get(piece);
      if (first === undefined) return { state: 'waiting', hasCopy: false };
      const ms = (end ?? now) - first.begun;
      const worker = String(first.worker);
      return {
        state: end === undefined ? 'running' : 'ended',
        ms,
        worker,
        hasCopy: copies.has(piece),
      };
    });
    for (const piece of stragglers(pieces)) if (start(piece, true)) copies.add(piece);
  }
  return { ms: Math.max(...doneAt.values()), copies: copies.size };
}

describe('a stage of twelve pieces on four workers', () => {
  const seeds = Array.from({ length: 500 }, (_, seed) => seed);
  const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

  it('ends in a quarter of the time with a worker of a twentieth of the speed', () => {
    const all = seeds.map((seed) => simulate(seed, 20, true));
    const without = mean(seeds.map((seed) => simulate(seed, 20, false).ms));
    expect(mean(all.map(({ ms }) => ms))).toBeLessThan(without / 4);
    expect(Math.max(...all.map(({ copies }) => copies))).toBeLessThanOrEqual(PIECES);
  });

  it('copies few pieces where all workers are as fast as each other', () => {
    const all = seeds.map((seed) => simulate(seed, 1, true));
    expect(mean(all.map(({ copies }) => copies))).toBeLessThan(0.1);
  });
});
