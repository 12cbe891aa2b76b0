/** The prediction as an admission rule, against simulated systems that stand for compositions. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '@skein/onnx';
import { Cancellation } from '../contract.ts';
import { type CompositionLoad, createRunWindow, refusalOf } from './composition-admission.ts';

interface System {
  /** When a request that starts now would end, given when the system is free. */
  readonly finish: (now: number, freeAt: number) => { done: number; freeAt: number };
  readonly perSecond: number;
  readonly seconds: number;
  readonly objectiveMs: number;
}

interface Outcome {
  readonly at: number;
  readonly refused: boolean;
  readonly late: boolean;
}

/** Open-loop Poisson arrivals; each is admitted when the prediction meets the objective. */
function simulate({ finish, perSecond, seconds, objectiveMs }: System, seed: number): Outcome[] {
  const random = seededRandom(seed);
  const window = createRunWindow();
  const outcomes: Outcome[] = [];
  let running: { done: number; from: number; concurrency: number }[] = [];
  let freeAt = 0;
  for (
    let now = 0;
    now < seconds * 1000;
    now += (-Math.log(1 - random.next()) * 1000) / perSecond
  ) {
    running = running.filter(({ done, from, concurrency }) => {
      const end = Math.min(done, from + objectiveMs);
      if (end > now) return true;
      if (done > end) window.addUnfinished(end - from, concurrency, end);
      else window.add(end - from, concurrency, end);
      return false;
    });
    if (window.predictMs(running.length, now) > objectiveMs) {
      outcomes.push({ at: now, refused: true, late: false });
      continue;
    }
    const next = finish(now, freeAt);
    freeAt = next.freeAt;
    running.push({ done: next.done, from: now, concurrency: running.length + 1 });
    outcomes.push({ at: now, refused: false, late: next.done - now > objectiveMs });
  }
  return outcomes;
}

/**
 * One resource that every request needs for so long, one after another. A request that is cancelled
 * while it waits takes no time from the others.
 */
function queueFor(objectiveMs: number, ms: (now: number) => number): System['finish'] {
  return (now, freeAt) => {
    const start = Math.max(now, freeAt);
    if (start > now + objectiveMs) return { done: Infinity, freeAt };
    const done = start + ms(start);
    return { done, freeAt: done };
  };
}

const inTime = (outcomes: readonly Outcome[]): number =>
  outcomes.filter(({ refused, late }) => !refused && !late).length;

describe('the admission of a composition', () => {
  it('keeps most of the capacity at three times the load', () => {
    for (let seed = 0; seed < 50; seed++) {
      const outcomes = simulate(
        { finish: queueFor(250, () => 20), perSecond: 150, seconds: 30, objectiveMs: 250 },
        seed,
      );
      // The capacity is 50 per second.
      expect(inTime(outcomes), `seed ${seed}`).toBeGreaterThan(0.9 * 50 * 30);
    }
  });

  it('refuses no request when requests do not slow each other down', () => {
    for (let seed = 0; seed < 50; seed++) {
      const random = seededRandom(seed + 1000);
      const outcomes = simulate(
        {
          finish: (now, freeAt) => ({ done: now + 80 + random.next() * 60, freeAt }),
          perSecond: 200,
          seconds: 20,
          objectiveMs: 250,
        },
        seed,
      );
      expect(inTime(outcomes), `seed ${seed}`).toBe(outcomes.length);
    }
  });

  it('admits a burst after sequential requests', () => {
    const window = createRunWindow();
    for (let i = 0; i < 20; i++) window.add(100, 1, i * 200);
    expect(window.predictMs(7, 4000)).toBe(100);
  });

  it('recovers after a slow period', () => {
    const slow = (now: number): number => (now > 5_000 && now < 10_000 ? 400 : 20);
    for (let seed = 0; seed < 20; seed++) {
      const outcomes = simulate(
        { finish: queueFor(250, slow), perSecond: 30, seconds: 60, objectiveMs: 250 },
        seed,
      );
      const after = outcomes.filter(({ at }) => at > 40_000);
      expect(inTime(after) / after.length, `seed ${seed}`).toBeGreaterThan(0.97);
    }
  });
});

describe('a request of a composition', () => {
  const load: CompositionLoad = {
    now: 100,
    open: true,
    inSystem: 3,
    predictedMs: 50,
    queued: 4,
    full: undefined,
  };

  it('is admitted when its answer is expected by its deadline', () => {
    expect(refusalOf({ deadline: 150 }, load)).toBeUndefined();
  });

  it.each([
    [{ deadline: 149.5 }, {}, 'DEADLINE_UNREACHABLE', 1],
    [{ deadline: 100 }, {}, 'DEADLINE_EXCEEDED', undefined],
    [{ deadline: 200 }, { full: 4 }, 'QUEUE_FULL', 50],
    [{ deadline: 200 }, { full: 2 }, 'QUEUE_FULL', 50],
    [{ deadline: 200 }, { open: false }, 'NO_REPLICA', 1_000],
  ] as const)('with %o and %o is refused with %s', (request, change, code, retryAfterMs) => {
    expect(refusalOf(request, { ...load, ...change })).toMatchObject({ code, retryAfterMs });
  });

  it('is refused first of all when its client has cancelled it', () => {
    const cancellation = new Cancellation();
    cancellation.cancel();
    const refusal = refusalOf({ deadline: 0, cancellation }, { ...load, open: false });
    expect(refusal).toMatchObject({ code: 'CANCELLED' });
  });
});
