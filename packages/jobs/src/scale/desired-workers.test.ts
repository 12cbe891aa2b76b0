/** The workers that a queue needs: single cases, and a simulation of queues and machines. */
import { describe, expect, test } from 'vitest';
import {
  desiredWorkers,
  TARGET_DELAY_MS,
  withLook,
  type QueueLoad,
  type RatesSoFar,
} from './desired-workers.ts';

const EMPTY: QueueLoad = { ready: 0, running: 0, oldestWaitMs: 0, workers: 0, rates: undefined };

describe('the workers that a queue needs', () => {
  test('are none when it is empty, however many there are', () => {
    expect(desiredWorkers({ ...EMPTY, workers: 7 })).toEqual({
      workers: 0,
      why: 'the queue is empty',
    });
  });

  test('are at least one when a job waits or runs', () => {
    expect(desiredWorkers({ ...EMPTY, ready: 1 }).workers).toBe(1);
    const quick = { arrivalsPerSecond: 0, endsPerSecond: 100, running: 1, jobsPerWorker: 8 };
    expect(desiredWorkers({ ...EMPTY, running: 1, rates: quick }).workers).toBe(1);
  });

  test('follow the work that arrives and the work that waits', () => {
    // 2 jobs a second of 3 s each, 4 at once in a worker: 6 / 4; 20 that wait add 20 × 3 / 30 = 2.
    const rates = { arrivalsPerSecond: 2, endsPerSecond: 2, running: 6, jobsPerWorker: 4 };
    const steady = { ...EMPTY, running: 6, workers: 2, rates };
    expect(desiredWorkers(steady).workers).toBe(2);
    expect(desiredWorkers({ ...steady, ready: 20 }).workers).toBe(2);
    expect(desiredWorkers({ ...steady, ready: 60 }).workers).toBe(3);
  });

  test('are one more than there are when a job waits too long, whatever is estimated', () => {
    const rates = { arrivalsPerSecond: 0, endsPerSecond: 50, running: 1, jobsPerWorker: 1 };
    const load = { ...EMPTY, ready: 1, running: 1, workers: 5, rates };
    expect(desiredWorkers(load).workers).toBeLessThan(5);
    const late = desiredWorkers({ ...load, oldestWaitMs: TARGET_DELAY_MS + 1 });
    expect(late).toEqual({ workers: 6, why: 'a job waits 30 s, longer than 30 s' });
  });

  test('survive a clock that stands still or runs backwards, and counts that begin again', () => {
    const look = { at: 1000, ready: 1, running: 1, busiest: 1, ended: 10 };
    const first = withLook(undefined, look);
    expect(withLook(first, look)).toBe(first);
    expect(withLook(first, { ...look, at: 1999, ended: 20 })).toBe(first);
    const back = withLook(first, { ...look, at: 500, ended: 20 });
    expect([back.last.at, back.rates]).toEqual([500, first.rates]);
    const emptied = withLook(first, { ...look, at: 2000, ended: 0 });
    expect(emptied.rates?.endsPerSecond).toBe(0);
  });
});

/** A generator with a seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Setting {
  readonly seed: number;
  /** Jobs per second at a time in seconds. */
  readonly arrivals: (second: number) => number;
  readonly runSeconds: number;
  readonly jobsPerWorker: number;
  readonly seconds: number;
}

/** From the decision to the first claim of a worker, in seconds. */
const START_SECONDS = 20;
const LOOK_EVERY_SECONDS = 15;
/** How long an autoscaler keeps the highest of what was desired before it scales down, in seconds. */
const STABLE_SECONDS = 300;
const MOST_WORKERS = 100;

/** Steps of a second: jobs arrive and run, each on a random worker; a platform applies what is desired. */
function simulate({ seed, arrivals, runSeconds, jobsPerWorker, seconds }: Setting) {
  const random = seeded(seed);
  const exponential = (mean: number): number => -Math.log(1 - random()) * mean;
  const ready: number[] = [];
  /** When the jobs of each worker end. */
  let workers: number[][] = [];
  const starting: number[] = [];
  const wanted: { at: number; workers: number }[] = [];
  const waits: number[] = [];
  let [ended, workerSeconds, work] = [0, 0, 0];
  let soFar: RatesSoFar | undefined;
  let next = exponential(1 / Math.max(arrivals(0), 1e-9));
  for (let now = 0; now < seconds; now++) {
    for (; next <= now; next += exponential(1 / Math.max(arrivals(now), 1e-9))) ready.push(next);
    workers = workers.map((jobs) => jobs.filter((until) => until > now || (ended++, false)));
    while (starting[0] !== undefined && starting[0] <= now) {
      starting.shift();
      workers.push([]);
    }
    for (;;) {
      const free = workers.filter((jobs) => jobs.length < jobsPerWorker);
      if (free.length === 0 || ready.length === 0) break;
      waits.push(now - ready.shift()!);
      const run = exponential(runSeconds);
      work += run;
      free[Math.floor(random() * free.length)]!.push(now + run);
    }
    workerSeconds += workers.length;
    if (now % LOOK_EVERY_SECONDS !== 0) continue;
    const sizes = workers.map((jobs) => jobs.length);
    const counts = { ready: ready.length, running: sizes.reduce((sum, size) => sum + size, 0) };
    soFar = withLook(soFar, { at: now * 1000, ended, busiest: Math.max(0, ...sizes), ...counts });
    const oldestWaitMs = ready[0] === undefined ? 0 : (now - ready[0]) * 1000;
    const load = { ...counts, oldestWaitMs, workers: workers.length, rates: soFar.rates };
    wanted.push({ at: now, workers: Math.min(desiredWorkers(load).workers, MOST_WORKERS) });
    const kept = wanted.filter(({ at }) => at > now - STABLE_SECONDS);
    const target = Math.max(...kept.map((each) => each.workers));
    while (workers.length + starting.length < target) starting.push(now + START_SECONDS);
    // Workers without a job are ended first; one that is drained ends what it runs.
    workers.sort((a, b) => b.length - a.length);
    while (workers.length > target && workers.at(-1)!.length === 0) workers.pop();
  }
  waits.sort((a, b) => a - b);
  return {
    jobs: waits.length,
    p95: waits[Math.floor(waits.length * 0.95)] ?? 0,
    left: ready.length,
    workers: workers.length,
    /** Paid time over the time that the work needs. */
    excess: workerSeconds / (work / jobsPerWorker),
  };
}

describe('by simulation', () => {
  const seeds = Array.from({ length: 4 }, (_, index) => index + 1);

  test('a steady load starts in time, with few workers too many', () => {
    for (const seed of seeds) {
      for (const [perSecond, runSeconds, jobsPerWorker] of [
        [0.5, 20, 1],
        [2, 10, 4],
        [0.1, 120, 2],
        [10, 2, 4],
      ] as const) {
        const found = simulate({
          seed,
          arrivals: () => perSecond,
          runSeconds,
          jobsPerWorker,
          seconds: 7200,
        });
        const what = `seed ${seed}, ${perSecond}/s of ${runSeconds} s: ${JSON.stringify(found)}`;
        expect(found.p95, what).toBeLessThan(TARGET_DELAY_MS / 1000);
        expect(found.excess, what).toBeLessThan(3);
      }
    }
  });

  test('a burst is worked off, and afterwards no worker remains', () => {
    for (const seed of seeds) {
      const found = simulate({
        seed,
        arrivals: (second) => (second < 60 ? 5 : 0),
        runSeconds: 10,
        jobsPerWorker: 2,
        seconds: 1800,
      });
      const what = `seed ${seed}: ${JSON.stringify(found)}`;
      expect([found.left, found.workers], what).toEqual([0, 0]);
      expect(found.p95, what).toBeLessThan((2 * TARGET_DELAY_MS) / 1000);
    }
  });

  test('a load that doubles for a while is followed up and down', () => {
    for (const seed of seeds) {
      const day = { seed, runSeconds: 15, jobsPerWorker: 3, seconds: 7200 };
      const found = simulate({ ...day, arrivals: (second) => (second % 3600 < 1800 ? 1 : 2) });
      const what = `seed ${seed}: ${JSON.stringify(found)}`;
      expect(found.p95, what).toBeLessThan(TARGET_DELAY_MS / 1000);
      expect(found.excess, what).toBeLessThan(2.2);
    }
  });
});
