/** A model of a site's own, over the rounds that a coordinator sends: restarts, rounds tried again, and messages to the coordinator. */
import { seededRandom } from '@skein/onnx';
import { nativeBackend } from '@skein/train/native';
import { expect, it } from 'vitest';
import type { PlanDraft } from '../../plan/plan.ts';
import type { Outcome } from '../answers.ts';
import { openSqliteMemory } from '../memory/sqlite-memory.ts';
import type { SiteMemory } from '../memory/site-memory.ts';
import { runSite } from '../run-site.ts';
import { readSiteRows } from '../site-rows.ts';
import { smallCoordinator } from '../testing/small-coordinator.ts';
import { trainedPlan } from '../testing/trained-plan.ts';
import { openWork } from '../work/open-work.ts';
import { SLOTS } from './kept-rounds.ts';
import {
  openPersonalModel,
  type PersonalModel,
  type PersonalOptions,
  type PersonalRound,
  personalSteps,
} from './personal-model.ts';

const ROWS = new TextEncoder().encode('age,sex,disease\n40,1,1\n50,0,0\n60,0,1\n70,1,0\n');
const { plan, model, length } = await trainedPlan({
  rounds: 100,
  local: { steps: 3, batch: 2, learningRate: 0.1 },
});
const rows = await readSiteRows(plan.data, ROWS);

const TASK = {
  place: { round: 0, attempt: 0, phase: 'train' },
  fields: {},
  payload: undefined,
  state: undefined,
};

/** The vector of a round: longer than the parameters where the strategy sends further vectors. */
function broadcastOf(round: number, vectors = 1): Float32Array<ArrayBuffer> {
  const random = seededRandom(round);
  return Float32Array.from({ length: vectors * length }, () => random.next() - 0.5);
}

interface Opened {
  readonly personal: PersonalModel;
  readonly reported: PersonalRound[];
  readonly problems: unknown[];
  /** Resolves when the model of a round was reported. */
  readonly trained: (round: number) => Promise<void>;
}

async function opened(
  memory: SiteMemory,
  more: Partial<PersonalOptions> = {},
  pull = 0.5,
): Promise<Opened> {
  const reported: PersonalRound[] = [];
  const problems: unknown[] = [];
  const personal = await openPersonalModel({
    run: 'run-1',
    plan,
    model,
    rows,
    backend: nativeBackend,
    memory,
    terms: { pull, from: 'own' },
    onTrained: (round) => void reported.push(round),
    onProblem: (problem) => void problems.push(problem),
    ...more,
  });
  const trained = (round: number) =>
    expect.poll(() => reported.at(-1)?.round, { interval: 2 }).toBe(round);
  return { personal, reported, problems, trained };
}

/** The models after each of these rounds, trained without interruption. */
async function uninterrupted(
  rounds: readonly number[],
  more: Partial<PersonalOptions> = {},
): Promise<Float32Array[]> {
  const { personal, reported, problems } = await opened(openSqliteMemory(':memory:'), more);
  for (const round of rounds) await personal.onBroadcast(round, broadcastOf(round));
  await personal.finish(true);
  await personal.close();
  expect(problems).toEqual([]);
  expect(reported.map(({ round }) => round)).toEqual(rounds);
  return reported.map(({ own }) => own);
}

it('resumes after it is killed before, during and after the training of a round, as if it were not', async () => {
  const [, , , last] = await uninterrupted([0, 1, 2, 3]);
  const memory = openSqliteMemory(':memory:');
  const first = await opened(memory);
  await first.personal.onBroadcast(0, broadcastOf(0));
  await first.trained(0);
  // Killed before the first step of round 1, because work for the federation continues.
  const working = Promise.withResolvers<Outcome>();
  const answered = first.personal.first(() => working.promise)(TASK);
  await first.personal.onBroadcast(1, broadcastOf(1));
  await first.personal.close();
  working.resolve({ fields: {} });
  await answered;
  // Killed when the model of round 2 was reported, and not yet kept.
  let isKilled = false;
  const second = await opened({
    ...memory,
    async carry(run, bytes) {
      if (!isKilled || run !== 'run-1 personal') await memory.carry(run, bytes);
    },
  });
  await second.trained(1);
  expect(second.reported.map(({ round }) => round)).toEqual([0, 1]);
  isKilled = true;
  await second.personal.onBroadcast(2, broadcastOf(2));
  await second.trained(2);
  await second.personal.close();
  const third = await opened(memory);
  for (const round of [1, 2, 3]) await third.personal.onBroadcast(round, broadcastOf(round));
  await third.personal.finish(true);
  expect(third.reported.map(({ round }) => round)).toEqual([1, 2, 3]);
  expect(third.reported.at(-1)!.own).toEqual(last);
  await third.personal.close();
});

it('trains once in a round that is tried again, and a round that was sent before is no new one', async () => {
  const [, , expected] = await uninterrupted([0, 1, 2]);
  const { personal, reported } = await opened(openSqliteMemory(':memory:'));
  for (const round of [0, 0, 1]) await personal.onBroadcast(round, broadcastOf(round));
  await expect.poll(() => reported.length).toBe(2);
  for (const round of [1, 0, 2, 2]) await personal.onBroadcast(round, broadcastOf(round));
  await personal.finish(true);
  expect(reported.map(({ round }) => round)).toEqual([0, 1, 2]);
  expect(reported.at(-1)!.own).toEqual(expected);
  await personal.close();
});

it('takes the parameters alone of strategies that send more', async () => {
  const [expected] = await uninterrupted([0]);
  const { personal, reported } = await opened(openSqliteMemory(':memory:'));
  const [both, first] = [broadcastOf(7, 2), broadcastOf(0)];
  both.set(first);
  await personal.onBroadcast(0, both);
  await personal.finish(true);
  expect(reported[0]).toMatchObject({ own: expected, global: first });
  await personal.close();
});

it('begins each round at the global model to fine-tune it, and at its own one otherwise', async () => {
  const tune = { terms: { pull: 0, from: 'global' } } as const;
  const [, tuned] = await uninterrupted([0, 1], tune);
  const [alone] = await uninterrupted([1], tune);
  expect(tuned).toEqual(alone);
  const own = { terms: { pull: 0, from: 'own' } } as const;
  const [, further] = await uninterrupted([0, 1], own);
  expect(further).not.toEqual((await uninterrupted([1], own))[0]);
});

it('waits while the site works for the federation, and keeps what the round was trained from meanwhile', async () => {
  const memory = openSqliteMemory(':memory:');
  const { personal, reported } = await opened(memory);
  const isDone = Promise.withResolvers<void>();
  const work = personal.first(async ({ place }) => {
    await personal.onBroadcast(place.round, broadcastOf(place.round));
    await isDone.promise;
    expect(reported).toEqual([]);
    return { fields: {} };
  });
  const answered = work(TASK);
  await expect.poll(() => memory.carriedOf('run-1 personal 0')).toBeDefined();
  // Longer than the training of many such rounds.
  const other = await opened(openSqliteMemory(':memory:'));
  for (const round of [0, 1, 2, 3]) await other.personal.onBroadcast(round, broadcastOf(round));
  await other.personal.finish(true);
  await other.personal.close();
  isDone.resolve();
  await answered;
  await personal.finish(true);
  expect(reported).toHaveLength(1);
  // Nothing is left in the memory of the site.
  expect(await memory.carriedOf('run-1 personal')).toBeUndefined();
  expect(await memory.carriedOf('run-1 personal 0')).toBeUndefined();
  await personal.close();
});

it('leaves out the oldest rounds where too many wait, and reports it', async () => {
  const { personal, reported, problems } = await opened(openSqliteMemory(':memory:'));
  const isDone = Promise.withResolvers<Outcome>();
  const answered = personal.first(() => isDone.promise)(TASK);
  const rounds = Array.from({ length: SLOTS + 2 }, (_, round) => round);
  for (const round of rounds) await personal.onBroadcast(round, broadcastOf(round));
  isDone.resolve({ fields: {} });
  await answered;
  await personal.finish(true);
  // The first one was being trained already.
  expect(reported.map(({ round }) => round)).toEqual([0, ...rounds.slice(2)]);
  expect(String(problems)).toContain('faster than the training');
  await personal.close();
});

it('keeps a model that could not be reported for the next start, and a round that diverges leaves the model as it was', async () => {
  const memory = openSqliteMemory(':memory:');
  const failing = await opened(memory, {
    onTrained: () => {
      throw new Error('The disk is full.');
    },
  });
  await failing.personal.onBroadcast(0, broadcastOf(0));
  await expect(failing.personal.finish(true)).rejects.toThrow('The disk is full.');
  expect(String(failing.problems)).toContain('The disk is full.');
  await failing.personal.close();
  const again = await opened(memory);
  await again.personal.finish(true);
  expect(again.reported).toMatchObject([{ round: 0, own: (await uninterrupted([0]))[0] }]);
  await again.personal.close();

  const wild = await opened(openSqliteMemory(':memory:'), {}, 1e30);
  await wild.personal.onBroadcast(0, broadcastOf(0));
  await wild.personal.finish(true);
  expect([wild.reported, String(wild.problems)]).toEqual([
    [],
    expect.stringContaining('not finite'),
  ]);
  await wild.personal.close();
});

it('trains as the plan does, and one pass where the plan names no steps', async () => {
  const { local } = plan;
  expect(personalSteps({ local }, 4, {})).toEqual({ learningRate: 0.1, batch: 2, steps: 3 });
  const given = { learningRate: 1, steps: 9, batch: 100 };
  expect(personalSteps({ local }, 4, given)).toEqual({ ...given, batch: 4 });
  expect(personalSteps({ local: { steps: 1 } }, 25, {})).toEqual({
    learningRate: 0.1,
    batch: 10,
    steps: 3,
  });
  expect(personalSteps({ local: { steps: 1 } }, 25, { batch: 5 })).toMatchObject({ steps: 5 });
});

const STRATEGIES: readonly Partial<PlanDraft>[] = [
  { strategy: { name: 'fedavg' } },
  { strategy: { name: 'scaffold' } },
  { strategy: { name: 'fedadam' } },
];

it.each(STRATEGIES)(
  'sends the coordinator the same bytes with it as without: $strategy.name',
  async (more) => {
    const given = await trainedPlan({
      ...more,
      rounds: 3,
      local: { steps: 3, batch: 2, learningRate: 0.1 },
    });
    const vectors = more.strategy!.name === 'scaffold' ? 2 : 1;
    const identity = await openSqliteMemory(':memory:').identity();

    async function sent(isPersonal: boolean): Promise<unknown[]> {
      const messages: unknown[] = [];
      const memory: SiteMemory = {
        ...openSqliteMemory(':memory:'),
        identity: async () => identity,
      };
      const coordinator = await smallCoordinator({
        ...given,
        async served(channel, arrive) {
          for (const round of [0, 1, 1, 2]) {
            const place = { round, attempt: 0, phase: 'train' };
            const payload = new Uint8Array(broadcastOf(round, vectors).buffer);
            await channel.send({ kind: 'task', place, remainingMs: 9000, fields: {} }, payload);
            const { message, payload: answer } = (await arrive())!;
            messages.push(message, await answer?.read());
          }
          await channel.send({ kind: 'status', status: 'finished', round: 3 });
          // Further messages may follow before it ends the connection.
          for (let more = await arrive(); more !== undefined; more = await arrive()) {
            messages.push(more.message);
          }
        },
      });
      let personal: Opened | undefined;
      await runSite({
        invitation: coordinator.invitation,
        open: coordinator.connect,
        memory,
        consent: async () => {},
        async prepare(joined, fetchModel) {
          const options = { joined, run: 'run-1', memory, rows, backend: nativeBackend };
          const fetched = await fetchModel();
          if (!isPersonal) return openWork({ ...options, model: fetched });
          personal = await opened(memory, { plan: given.plan, model: fetched });
          const { onBroadcast } = personal.personal;
          return personal.personal.first(
            await openWork({ ...options, model: fetched, onBroadcast }),
          );
        },
        signal: new AbortController().signal,
      });
      await personal?.personal.finish(true);
      expect(personal?.reported.map(({ round }) => round)).toEqual(
        isPersonal ? [0, 1, 2] : undefined,
      );
      await personal?.personal.close();
      return messages;
    }
    const without = await sent(false);
    expect(without).toHaveLength(8);
    expect(await sent(true)).toEqual(without);
  },
);
