/** The answers of a site, whatever the coordinator asks for. */
import { SkeinError } from '@skein/api/errors';
import { expect, it } from 'vitest';
import { createIdentity } from '../identity/keys.ts';
import { completePlan } from '../plan/complete.ts';
import { isBudgetSpent } from '../plan/spent.ts';
import { draft } from '../testing/plans.ts';
import { answerOnce, type Task } from './answers.ts';
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

it('charges the account before it computes an update, once for an answer that was not stored', async () => {
  const charges: number[] = [];
  const computed: string[] = [];
  const memory = openSqliteMemory(':memory:');
  const identity = await createIdentity();
  const site = (charge: (releases: number) => void, fails: boolean) => {
    const work = async ({ place: { phase } }: Task) => {
      computed.push(`${phase} after ${charges.length}`);
      if (fails) throw new Error('killed');
      return { fields: {} };
    };
    const options = { run: 'run-1', plan, planDigest: 'a'.repeat(64), identity, memory, work };
    const answer = answerOnce({ ...options, charge });
    return (round: number, phase: string) =>
      answer({ place: { round, attempt: 0, phase }, fields: {}, payload: undefined });
  };
  const count = (releases: number): void => void charges.push(releases);
  await site(count, false)(0, 'keys');
  await expect(site(count, true)(0, 'input')).rejects.toThrow('killed');
  const ask = site(count, false);
  await Promise.all([ask(0, 'input'), ask(1, 'input'), ask(0, 'input')]);
  await ask(1, 'consistency');
  expect(charges).toEqual([1, 1, 2]);
  expect(computed).toEqual([
    'keys after 0',
    'input after 1',
    'input after 2',
    'input after 3',
    'consistency after 3',
  ]);
  const refusing = site(() => {
    throw new SkeinError('PRIVACY_ACCOUNT_CLOSED', 'closed');
  }, false);
  await expect(refusing(2, 'input')).rejects.toMatchObject({ code: 'PRIVACY_ACCOUNT_CLOSED' });
  expect(computed).toHaveLength(5);
  // Stored before: no further release.
  await expect(refusing(1, 'input')).resolves.toBeDefined();
});

it('charges the message of a plan with helpers, where the helpers hold the coordinator to the budget', async () => {
  const charges: number[] = [];
  const helpers = [1, 2].map((at) => ({
    name: `helper ${at}`,
    identity: `${at}`.repeat(64),
    sealing: `${at + 2}`.repeat(64),
    proof: 'f'.repeat(128),
  }));
  const withHelpers = completePlan(
    draft({
      privacy: { mode: 'patient', noise: 20, denominator: 500 },
      aggregation: { kind: 'committee', helpers },
    }),
  );
  const answer = answerOnce({
    run: 'run-1',
    plan: withHelpers,
    planDigest: 'a'.repeat(64),
    identity: await createIdentity(),
    memory: openSqliteMemory(':memory:'),
    work: async () => ({ fields: {} }),
    charge: (releases) => void charges.push(releases),
  });
  const ask = (attempt: number) =>
    answer({ place: { round: 0, attempt, phase: 'input' }, fields: {}, payload: undefined });
  await Promise.all([ask(0), ask(1)]);
  expect(charges).toEqual([1, 2]);
});

it('erases the secrets of an attempt when a later one is asked for', async () => {
  const memory = openSqliteMemory(':memory:');
  const secret = new Uint8Array([1, 2, 3]);
  const answer = answerOnce({
    run: 'run-1',
    plan,
    planDigest: 'a'.repeat(64),
    identity: await createIdentity(),
    memory,
    work: async () => ({ fields: {}, state: secret }),
  });
  const first = { run: 'run-1', round: 0, attempt: 0, phase: 'keys' };
  const ask = (attempt: number) =>
    answer({ place: { round: 0, attempt, phase: 'keys' }, fields: {}, payload: undefined });
  await ask(0);
  expect(await memory.stateOf(first)).toEqual(secret);
  await ask(1);
  expect(await memory.stateOf(first)).toBeUndefined();
  expect(await memory.answerOf(first)).toHaveLength(0);
  await expect(ask(0)).rejects.toMatchObject({ code: 'ANSWER_CONFLICT' });
});

it('sends what was stored first, also when two processes of a site compute it at once', async () => {
  const memory = openSqliteMemory(':memory:');
  const identity = await createIdentity();
  const both = Promise.withResolvers<void>();
  let computing = 0;
  const answers = [1, 2].map(async (weight) => {
    const work = async () => {
      computing += 1;
      if (computing === 2) both.resolve();
      await both.promise;
      return { fields: { weight } };
    };
    const planDigest = 'a'.repeat(64);
    const answer = answerOnce({ run: 'run-1', plan, planDigest, identity, memory, work });
    const place = { round: 0, attempt: 0, phase: 'keys' };
    return answer({ place, fields: {}, payload: undefined });
  });
  const [one, other] = await Promise.all(answers);
  expect(computing).toBe(2);
  expect(other).toEqual(one);
});

it('asks again for what its work gave up with a lost connection', async () => {
  const memory = openSqliteMemory(':memory:');
  const identity = await createIdentity();
  const given = Promise.withResolvers<void>();
  const work = async ({ signal }: Task) => {
    // It has not noticed yet when the same is asked for over the next connection.
    if (signal?.aborted === false) return { fields: {} };
    await given.promise;
    throw new SkeinError('PHASE_CLOSED', 'given up');
  };
  const planDigest = 'a'.repeat(64);
  const answer = answerOnce({ run: 'run-1', plan, planDigest, identity, memory, work });
  const ask = (signal: AbortSignal) =>
    answer({
      place: { round: 0, attempt: 0, phase: 'input' },
      fields: {},
      payload: undefined,
      signal,
    });
  const first = ask(AbortSignal.abort());
  const second = ask(new AbortController().signal);
  given.resolve();
  await expect(first).rejects.toMatchObject({ message: 'given up' });
  await expect(second).resolves.toMatchObject({ header: { place: { phase: 'input' } } });
});
