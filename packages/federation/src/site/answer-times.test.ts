/** When updates leave a site, on a clock that only the test moves. */
import { seededRandom } from '@skein/onnx';
import { expect, it, vi } from 'vitest';
import { startFederation } from '../coordinator/testing/federation.ts';
import { startHospital } from '../coordinator/testing/hospital.ts';
import { createIdentity } from '../identity/keys.ts';
import { completePlan } from '../plan/complete.ts';
import type { PlanDraft } from '../plan/plan.ts';
import { draft } from '../testing/plans.ts';
import { LEAST_SPAN_MS, nextSpan, spanCount, spanMs } from './answer-times.ts';
import { answerOnce } from './answers.ts';
import { openSqliteMemory } from './memory/sqlite-memory.ts';

const TRAIN_MS = 600_000;
const identity = await createIdentity();
const PRIVATE: Partial<PlanDraft> = {
  rounds: 100,
  privacy: { mode: 'patient', noise: 1e4, denominator: 500, epsilon: 5, delta: 1e-3 },
  deadlines: { trainMs: TRAIN_MS },
};

/** A site that computes for so many milliseconds in each round; a failure is a negative number. */
function siteOf(more: Partial<PlanDraft> = {}, memory = openSqliteMemory(':memory:')) {
  const plan = completePlan(draft({ ...PRIVATE, ...more }));
  const { kind } = plan.aggregation;
  let now = 0;
  let takes = 0;
  const answer = answerOnce({
    run: 'run-1',
    plan,
    planDigest: 'a'.repeat(64),
    identity,
    memory,
    async work() {
      now += Math.abs(takes);
      if (takes < 0) throw new Error('A fault of the site.');
      return { fields: {}, payload: new Uint8Array(4) };
    },
    clock: { now: () => now, wait: async (ms) => void (now += ms) },
  });
  /** @returns milliseconds from the task to its answer, to a microsecond. */
  async function ask(round: number, ms: number, phase = kind === 'none' ? 'train' : 'input') {
    takes = ms;
    const asked = now;
    await answer({ place: { round, attempt: 0, phase }, fields: {}, payload: undefined }).catch(
      (error: Error) => expect(error.message).toBe('A fault of the site.'),
    );
    return Math.round(1000 * (now - asked)) / 1000;
  }
  async function rounds(durations: readonly number[], from = 0) {
    const left: number[] = [];
    for (const [i, ms] of durations.entries()) left.push(await ask(from + i, ms));
    return left;
  }
  return { memory, ask, rounds };
}

it('sends the updates of sites with other numbers of rows, and after other noise, at the same times', async () => {
  const few = await siteOf().rounds([130, 100, 101, 104, 103]);
  const more = await siteOf().rounds([125, 112, 99, 107, 110]);
  expect(few).toEqual(more);
  // The first one takes longer than the others, and keeps no span.
  expect(few[0]).toBeGreaterThan(few[1]!);
  expect(new Set(few.slice(1)).size).toBe(1);
});

it('waits for at most a quarter of the longest computation, and never takes a shorter span again', async () => {
  const random = seededRandom(7);
  const durations = Array.from({ length: 60 }, () => 100 + 900 * random.next() ** 4);
  const left = await siteOf().rounds([100, ...durations]);
  let longest = 0;
  for (const [i, ms] of durations.entries()) {
    longest = Math.max(longest, ms);
    const span = left[i + 1]!;
    expect(span).toBeGreaterThanOrEqual(longest);
    expect(span).toBeLessThanOrEqual(1.25 * longest);
  }
  const spans = new Set(left.slice(1));
  expect(spans.size).toBeLessThanOrEqual(
    1 + Math.log(longest / durations[0]!) / Math.log(1.25) + 1,
  );
  for (const span of spans) {
    const number = Math.log(TRAIN_MS / span) / Math.log(1.25);
    expect(number).toBeCloseTo(Math.round(number), 4);
  }
});

it('reveals at most in which round the span was exceeded, for times that differ by noise alone', async () => {
  const random = seededRandom(3);
  // In the worst place: the end of a span.
  const edge = spanMs(30, TRAIN_MS);
  const rounds = 20;
  const traces = new Set<string>();
  for (let trial = 0; trial < 300; trial += 1) {
    let kept = spanCount(TRAIN_MS);
    const spans = Array.from({ length: rounds }, () => {
      kept = nextSpan(edge * (1 + 0.002 * (random.next() - 0.9)), kept, TRAIN_MS);
      return kept;
    });
    traces.add(spans.join());
  }
  expect(traces.size).toBeGreaterThan(1);
  expect(traces.size).toBeLessThanOrEqual(rounds + 1);
});

it('keeps its span when it is started again', async () => {
  const first = siteOf();
  const [, span] = await first.rounds([100, 200, 100]);
  const again = siteOf({}, first.memory);
  expect(await again.rounds([100, 100], 3)).toEqual([span, span]);
  // A stored answer leaves at once: it does not reveal how long it took.
  expect(await siteOf({}, first.memory).ask(4, 100)).toBe(0);
});

it('waits after a fault, too, and after nothing but an update', async () => {
  const { ask } = siteOf();
  const [, span] = [await ask(0, 100), await ask(1, 100)];
  expect(await ask(2, -70)).toBe(span);
  expect(await ask(3, 70, 'keys')).toBe(70);
});

it('is never late by a wait', async () => {
  const { rounds } = siteOf();
  const longest = spanMs(1, TRAIN_MS);
  expect(longest).toBe(480_000);
  const left = await rounds([100, 590_000, 100]);
  expect(left.slice(1)).toEqual([590_000, longest]);
  for (const trainMs of [1, 100, TRAIN_MS, 86_400_000]) {
    const shortest = spanMs(spanCount(trainMs), trainMs);
    expect(shortest).toBeLessThan(1.25 * LEAST_SPAN_MS);
    if (trainMs > 100) expect(shortest).toBeGreaterThanOrEqual(LEAST_SPAN_MS);
  }
});

it.each<[string, Partial<PlanDraft>]>([
  ['has no privacy', { privacy: { mode: 'none' } }],
  [
    'has sites that send one message',
    {
      aggregation: {
        kind: 'committee',
        helpers: ['1', '2'].map((digit) => ({
          name: `helper ${digit}`,
          identity: digit.repeat(64),
          sealing: `${Number(digit) + 4}`.repeat(64),
          proof: '0'.repeat(128),
        })),
      },
    },
  ],
])('waits for nothing in a plan that %s', async (_, plan) => {
  expect(await siteOf(plan).rounds([130, 100, 101])).toEqual([130, 100, 101]);
});

it('sends the updates of a real run at the end of a span, and finishes it in time', async () => {
  const rounds = 3;
  const at = await startFederation({
    ...PRIVATE,
    strategy: { name: 'fedsgd' },
    privacy: { mode: 'patient', noise: 20, denominator: 500, epsilon: 2 },
    aggregation: { kind: 'pairwise' },
    sites: { minimum: 4, maximum: 4 },
    rounds,
  });
  const { id } = await at.coordinator.start(at.draft);
  const trainMs = at.draft.deadlines!.trainMs!;
  /** For each update, by how many milliseconds it left before the end of the span that was chosen for it. */
  const early: number[] = [];
  for (const number of [1, 2, 3, 4]) {
    let [asked, computed] = [0, 0];
    await startHospital(at, {
      run: id,
      number,
      change: (work) => async (task) => {
        const begun = performance.now();
        const outcome = await work(task);
        computed = performance.now() - begun;
        return outcome;
      },
      more: {
        onEvent(event) {
          if (event.type === 'task') asked = performance.now();
          if (event.type !== 'answered' || event.phase !== 'input') return;
          const span = spanMs(nextSpan(computed, spanCount(trainMs), trainMs), trainMs);
          early.push(span - (performance.now() - asked));
        },
      },
    });
  }
  await vi.waitFor(async () => expect((await at.coordinator.view(id)).status).toBe('finished'), {
    timeout: 45_000,
  });
  const { entries } = await at.coordinator.ledger(id);
  expect(entries.filter(({ event }) => event.kind === 'aborted')).toEqual([]);
  expect(early).toHaveLength(4 * rounds);
  // A timer may be early by a millisecond.
  for (const ms of early) expect(ms).toBeLessThan(2);
});
