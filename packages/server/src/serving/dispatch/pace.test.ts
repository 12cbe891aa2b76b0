import { seededRandom } from '@skein/onnx';
import { expect, test } from 'vitest';
import { simulate } from './testing/simulation.ts';

const OBJECTIVE_MS = 500;
const CONNECTIONS = 16;

/** A closed loop of sixteen on a machine that is held up now and then for up to a second. */
function withStalls(seed: number) {
  const random = seededRandom(seed);
  const endsAt = 3000;
  let stalledUntil = 0;
  let stall = 1;
  return simulate(
    Array.from({ length: CONNECTIONS }, () => ({ at: 0, budgetMs: OBJECTIVE_MS })),
    {
      objectiveMs: OBJECTIVE_MS,
      cost(rows, _lane, now) {
        const usual = 0.45 + 0.02 * rows;
        if (now > stalledUntil && random.next() < 0.01) {
          stalledUntil = now + 360 * random.next();
          stall = 1 + (60 * random.next()) / usual;
        }
        return usual * (now < stalledUntil ? stall * (0.3 + random.next()) : 1);
      },
      onEnd: ({ finishedAt }) =>
        finishedAt < endsAt ? { at: finishedAt + 0.1, budgetMs: OBJECTIVE_MS } : undefined,
    },
  );
}

test('stalls that come and go refuse nobody whom they do not make late', () => {
  for (let seed = 0; seed < 40; seed += 1) {
    const { outcomes } = withStalls(seed);
    const longest = Math.max(...outcomes.map(({ arrival, finishedAt }) => finishedAt - arrival.at));
    expect(longest).toBeLessThan(OBJECTIVE_MS / 2);
    expect(outcomes.filter(({ state }) => state !== 'answered')).toEqual([]);
  }
});
