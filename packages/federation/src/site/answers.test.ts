/** What a site answers, whatever the coordinator asks for. */
import { expect, it } from 'vitest';
import { createIdentity } from '../identity/keys.ts';
import { completePlan } from '../plan/complete.ts';
import { isBudgetSpent } from '../plan/spent.ts';
import { draft } from '../testing/plans.ts';
import { answerOnce } from './answers.ts';
import { openSqliteMemory } from './memory/sqlite-memory.ts';

const plan = completePlan(
  draft({
    rounds: 50,
    privacy: { mode: 'patient', noise: 20, denominator: 500, epsilon: 0.4, delta: 1e-3 },
  }),
);
let allowed = 0;
while (!isBudgetSpent(plan, allowed)) allowed++;

async function site() {
  const memory = openSqliteMemory(':memory:');
  const identity = await createIdentity();
  const open = () => {
    const work = async () => ({ fields: {}, payload: new Uint8Array(4) });
    const answer = answerOnce({
      run: 'run-1',
      plan,
      planDigest: 'a'.repeat(64),
      identity,
      memory,
      work,
    });
    return (round: number, attempt: number, phase: string) =>
      answer({ place: { round, attempt, phase }, fields: {}, payload: undefined }).then(
        () => 'answered',
        (error: { code: string }) => error.code,
      );
  };
  return { open };
}

it('gives no more updates than the budget allows, asked for at once, in other rounds or after a restart', async () => {
  expect(allowed).toBeGreaterThan(2);
  expect(allowed).toBeLessThan(plan.rounds);
  const { open } = await site();
  const ask = open();
  const attempts = Array.from({ length: allowed + 3 }, (_, attempt) => ask(0, attempt, 'input'));
  const answered = (await Promise.all(attempts)).map((each) => each === 'answered');
  expect(answered.filter(Boolean)).toHaveLength(allowed);
  expect(await ask(1, 0, 'input')).toBe('PRIVACY_BUDGET_SPENT');
  expect(await ask(1, 0, 'keys')).toBe('answered');
  // The same answer again is no further release.
  expect(await ask(0, allowed - 1, 'input')).not.toBe('PRIVACY_BUDGET_SPENT');
  expect(await open()(2, 0, 'input')).toBe('PRIVACY_BUDGET_SPENT');
});

it('takes part in no round and no attempt that the plan does not have', async () => {
  const ask = (await site()).open();
  expect(await ask(plan.rounds - 1, 0, 'keys')).toBe('answered');
  expect(await ask(plan.rounds, 0, 'keys')).toBe('FEDERATION_PROTOCOL');
  expect(await ask(0, 1000, 'keys')).toBe('FEDERATION_PROTOCOL');
});
