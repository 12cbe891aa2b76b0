import { expect, it, vi } from 'vitest';
import { invitationOf } from '../../identity/invitation.ts';
import { type Identity, identityOf } from '../../identity/keys.ts';
import { ledgerText, verifyLedger } from '../../ledger/verify.ts';
import { sumNumber } from '../../plan/encoding.ts';
import type { Work } from '../../site/answers.ts';
import { openSqliteMemory } from '../../site/memory/sqlite-memory.ts';
import { runSite } from '../../site/run-site.ts';
import { pairwiseWork } from '../../site/work/pairwise-work.ts';
import { connectionPair } from '../../transport/connection.ts';
import type { PlanDraft } from '../../plan/plan.ts';
import {
  type Bytes,
  gainedBy,
  joinScripted,
  type Script,
  type ScriptedAnswer,
  type ScriptedSite,
  startFederation,
  type TestFederation,
} from '../testing/federation.ts';

const SECURE: Partial<PlanDraft> = {
  aggregation: { kind: 'pairwise' },
  sites: { minimum: 4, maximum: 4 },
  deadlines: { phaseMs: 1500, trainMs: 1500 },
};

/** A real site, whose training adds `number` to each parameter with a weight. */
function masked(keys: CryptoKeyPair, number: number, weight: number): Script {
  const states = new Map<number, Bytes>();
  let work: Promise<Work> | undefined;
  return async ({ place, fields, payload, ...joined }) => {
    const update = async (_: number, { length }: Float32Array) => ({
      numbers: new Float64Array(length).fill(number),
      // With privacy the sum is divided by a public number.
      weight: joined.plan.privacy.mode === 'none' ? weight : 1,
    });
    work ??= pairwiseWork({ ...joined, coordinator: '', keys, training: { update } });
    const sum = sumNumber(place.round, place.attempt);
    const answer = await work;
    const { state, ...given } = await answer({ place, fields, payload, state: states.get(sum) });
    if (state !== undefined) states.set(sum, state);
    return given;
  };
}

interface Hospital {
  readonly identity: Identity;
  readonly invitation: string;
  readonly script: Script;
  readonly memory: Map<string, ScriptedAnswer>;
}

async function hospitals(at: TestFederation, run: string, count: number): Promise<Hospital[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const keys = await openSqliteMemory(':memory:').identity();
      const identity = await identityOf(keys);
      const invitation = await at.coordinator.invite(run, { name: `hospital ${i}` });
      const script = masked(keys, (i + 1) / 10, 100 * (i + 1));
      return { identity, invitation, script, memory: new Map() };
    }),
  );
}
const join = (
  at: TestFederation,
  { invitation, script, ...known }: Hospital,
): Promise<ScriptedSite> => joinScripted(at, invitation, script, known);

async function finished(at: TestFederation, run: string) {
  await vi.waitFor(async () => expect((await at.coordinator.view(run)).status).toBe('finished'), {
    timeout: 45_000,
    interval: 20,
  });
  return at.coordinator.ledger(run);
}

/** The broadcasts that sites were sent, by round: the first number less the first number of round 0. */
function gains({ arrivals }: ScriptedSite): Promise<number[]> {
  const inputs = arrivals.filter(
    ({ message }) => message.kind === 'task' && message.place.phase === 'input',
  );
  return Promise.all(
    inputs.map(async ({ message, payload }) => {
      expect(message).toMatchObject({ fields: { delivery: expect.any(Number) } });
      return new Float32Array((await payload!.read()).slice(0, 4).buffer)[0]!;
    }),
  ).then((all) => all.map((each) => each - all[0]!));
}

it('sums masked updates of four sites, while one dies in each round', async () => {
  const at = await startFederation({ ...SECURE, rounds: 3 });
  const { id } = await at.coordinator.start(at.draft);
  const all = await hospitals(at, id, 4);
  const sites: ScriptedSite[] = [];
  for (const [i, hospital] of all.entries()) {
    const dies: Script = (task) => {
      // One site after another dies when it is asked to train, and comes back.
      if (task.place.round !== i || task.place.phase !== 'input' || i === 3)
        return hospital.script(task);
      void sites[i]!.ended.then(() => join(at, hospital));
      sites[i]!.channel.close();
      return undefined;
    };
    sites.push(await join(at, { ...hospital, script: dies }));
  }
  const ledger = await finished(at, id);
  const survivors = ledger.entries.flatMap(({ event }) =>
    event.kind === 'finished-round' ? [event.survivors.length] : [],
  );
  expect(survivors).toHaveLength(3);
  // Sites 1 to 3 of weights 100 to 400 that add .1 to .4: the weighted mean of those that stayed, or of all.
  const [, first] = await gains(sites[3]!);
  expect(first).toBeGreaterThan(0.29);
  expect(first).toBeLessThan(0.33);
  expect(at.faults).toEqual([]);
});

it('removes the masks of a site that is gone once its shares are out', async () => {
  const at = await startFederation({ ...SECURE, rounds: 1 });
  const { id } = await at.coordinator.start(at.draft);
  for (const [i, hospital] of (await hospitals(at, id, 4)).entries()) {
    const script: Script = (task) =>
      i === 3 && task.place.phase === 'input' ? undefined : hospital.script(task);
    await join(at, { ...hospital, script });
  }
  await finished(at, id);
  // (1·.1 + 2·.2 + 3·.3) / 6 of the three that have stayed.
  for (const gain of await gainedBy(at, id)) expect(gain).toBeCloseTo(1.4 / 6, 2);
});

it('sums above 64 sites, where each shares masks with its neighbours on a ring alone', async () => {
  const count = 68;
  const at = await startFederation({
    aggregation: { kind: 'pairwise', range: 10 },
    sites: { minimum: count, maximum: count },
    deadlines: { phaseMs: 60_000, trainMs: 60_000 },
    rounds: 1,
  });
  const { id } = await at.coordinator.start(at.draft);
  const gone = [3, 40];
  const all = await hospitals(at, id, count);
  const sites: ScriptedSite[] = [];
  for (const [i, hospital] of all.entries()) {
    const script: Script = (task) => {
      const { place } = task;
      if (!gone.includes(i) || place.phase !== 'input') return hospital.script(task);
      // A site whose training fails sends this: the coordinator no longer waits for it.
      const why = { code: 'SITE_FAILED', message: 'It has no free space.' };
      void sites[i]!.channel.send({ kind: 'refuse', place, ...why });
      return undefined;
    };
    sites.push(await join(at, { ...hospital, script }));
  }
  await vi.waitFor(async () => expect((await at.coordinator.view(id)).status).toBe('finished'), {
    timeout: 150_000,
    interval: 50,
  });
  const { entries } = await at.coordinator.ledger(id);
  const survivors = entries.flatMap(({ event }) =>
    event.kind === 'finished-round' ? [event.survivors.length] : [],
  );
  expect(survivors).toEqual([count - gone.length]);
  const left = Array.from({ length: count }, (_, i) => i).filter((i) => !gone.includes(i));
  const weight = left.reduce((total, i) => total + (i + 1), 0);
  const sum = left.reduce((total, i) => total + ((i + 1) / 10) * (i + 1), 0);
  for (const gain of await gainedBy(at, id)) expect(gain).toBeCloseTo(sum / weight, 1);
  expect(at.faults).toEqual([]);
}, 180_000);

it('is the weighted mean to the step of the encoding, and spends nothing without privacy', async () => {
  const at = await startFederation({ ...SECURE, rounds: 2 });
  const { id } = await at.coordinator.start(at.draft);
  const sites = await Promise.all((await hospitals(at, id, 4)).map((each) => join(at, each)));
  const ledger = await finished(at, id);
  // (1·.1 + 2·.2 + 3·.3 + 4·.4) / 10 = .3, in steps of 2/65535 · 10000 / 1000.
  expect(await gains(sites[0]!)).toEqual([0, expect.closeTo(0.3, 2)]);
  expect(ledger.entries.some(({ event }) => event.kind === 'charged')).toBe(false);
});

it('sends a part of the numbers where the plan has a part, the same at every site', async () => {
  const aggregation = { kind: 'pairwise', share: 0.5 } as const;
  const at = await startFederation({ ...SECURE, rounds: 1, aggregation });
  const { id } = await at.coordinator.start(at.draft);
  for (const [i, number] of [0.1, 0.2, 0.3, 0.4].entries()) {
    const memory = openSqliteMemory(':memory:');
    const keys = await memory.identity();
    const update = async (_: number, broadcast: Float32Array) => ({
      numbers: Float64Array.from(broadcast, (_each, place) => number * (place + 1)),
      weight: 100 * (i + 1),
    });
    void runSite({
      invitation: invitationOf(await at.coordinator.invite(id, { name: `site ${i}` })),
      memory,
      consent: async () => {},
      async open() {
        const [near, far] = connectionPair();
        at.coordinator.connect(far);
        return near;
      },
      prepare: (joining) => pairwiseWork({ ...joining, run: id, keys, training: { update } }),
      signal: new AbortController().signal,
    });
  }
  await finished(at, id);
  const gained = await gainedBy(at, id);
  expect(gained.filter((each) => each !== 0)).toHaveLength(2);
  // Twice the weighted mean of .3 at its place, so that the mean over rounds is right.
  gained.forEach((each, i) => each === 0 || expect(each / (i + 1)).toBeCloseTo(0.6, 1));
});

it.each(['keys', 'shares', 'input', 'consistency', 'unmasking'])(
  'resumes after it was killed in phase %s, and charges no release twice',
  async (phase) => {
    const at = await startFederation({
      ...SECURE,
      strategy: { name: 'fedsgd' },
      privacy: { mode: 'patient', noise: 20, denominator: 500, epsilon: 1 },
      deadlines: { phaseMs: 20_000, trainMs: 20_000 },
      rounds: 2,
    });
    const { id } = await at.coordinator.start(at.draft);
    const all = await hospitals(at, id, 4);
    const blocked = Promise.withResolvers<void>();
    let held = true;
    const holding = all.map((hospital, i) => ({
      ...hospital,
      script: (async (task) => {
        if (held && i === 3 && task.place.phase === phase) {
          blocked.resolve();
          return undefined;
        }
        return hospital.script(task);
      }) satisfies Script,
    }));
    for (const hospital of holding) await join(at, hospital);
    await blocked.promise;
    await vi.waitFor(async () => {
      const { members } = await at.coordinator.view(id);
      expect(members.filter(({ answered }) => answered)).toHaveLength(3);
    });
    await at.restart();
    expect(await at.coordinator.view(id)).toMatchObject({ round: 0, attempt: 0, phase });
    held = false;
    for (const hospital of holding) await join(at, hospital);
    const ledger = await finished(at, id);
    const charged = ledger.entries.flatMap(({ event }) =>
      event.kind === 'charged' ? [event] : [],
    );
    expect(charged.map(({ round, attempt, releases }) => [round, attempt, releases])).toEqual([
      [0, 0, 1],
      [1, 0, 2],
    ]);
    expect(ledger.entries.some(({ event }) => event.kind === 'aborted')).toBe(false);
    expect(await verifyLedger(ledgerText(ledger))).toMatchObject({ rounds: 2, releases: 2 });
    expect(at.faults).toEqual([]);
  },
);

it('takes answers in flight while it is paused, and aborts nothing when it resumes', async () => {
  const at = await startFederation({
    ...SECURE,
    deadlines: { phaseMs: 2000, trainMs: 2000 },
    rounds: 1,
  });
  const { id } = await at.coordinator.start(at.draft);
  const reached = Promise.withResolvers<void>();
  const going = Promise.withResolvers<void>();
  for (const [i, hospital] of (await hospitals(at, id, 4)).entries()) {
    const script: Script = async (task) => {
      if (i === 3 && task.place.phase === 'input') {
        reached.resolve();
        await going.promise;
      }
      return hospital.script(task);
    };
    await join(at, { ...hospital, script });
  }
  await reached.promise;
  await at.coordinator.pause(id, 'lunch');
  going.resolve();
  await vi.waitFor(async () => {
    const { members } = await at.coordinator.view(id);
    expect(members.filter(({ answered }) => answered)).toHaveLength(4);
  });
  // Longer than a phase may last.
  await new Promise((resolve) => setTimeout(resolve, 2500));
  await at.coordinator.resume(id, 'back');
  const ledger = await finished(at, id);
  expect(ledger.entries.map(({ event }) => event.kind)).not.toContain('aborted');
});

it('stops hard at its privacy budget', async () => {
  const at = await startFederation({
    ...SECURE,
    strategy: { name: 'fedsgd' },
    privacy: { mode: 'patient', noise: 10, denominator: 500, epsilon: 0.4, delta: 1e-3 },
    rounds: 50,
  });
  const { id } = await at.coordinator.start(at.draft);
  for (const hospital of await hospitals(at, id, 4)) await join(at, hospital);
  await finished(at, id);
  const view = await at.coordinator.view(id);
  expect(view.reason).toContain('PRIVACY_BUDGET_SPENT');
  expect(view.round).toBeGreaterThan(0);
  expect(view.round).toBeLessThan(50);
  expect(view.spent[0]!.epsilon).toBeLessThanOrEqual(0.4);
});
