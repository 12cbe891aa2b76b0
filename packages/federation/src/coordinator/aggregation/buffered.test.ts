/** FedBuff conducted: real sites and helpers inside one process; a test ends their trainings. */
import { strategyOf } from '@skein/train/federated';
import { describe, expect, it, vi } from 'vitest';
import { identityOf } from '../../identity/keys.ts';
import { ledgerText, verifyLedger } from '../../ledger/verify.ts';
import type { Outcome, Task, Work } from '../../site/answers.ts';
import { openSqliteMemory } from '../../site/memory/sqlite-memory.ts';
import type { SiteEvent } from '../../site/run-site.ts';
import { committeeWork } from '../../site/work/committee-work.ts';
import { startCommittee, type SiteTest, type TestCommittee } from '../testing/committee.ts';
import { all, finished, inPhase, of, patient, PRIVATE, SLOW } from '../testing/committee-trial.ts';
import { gainedBy, joinScripted, type ScriptedAnswer, sendAnswer } from '../testing/federation.ts';
import type { Place } from '../../transport/messages.ts';

const BUFFER = 3;
const buffered = (staleness: number) =>
  ({ ...SLOW, strategy: { name: 'fedbuff', buffer: BUFFER, staleness } }) as const;
/** Without privacy, in steps of 20 / 65535 for sites of one row. */
const OPEN = { repeatWithOthers: true, mostRows: 1 } as const;

const isRound = ({ at, id }: TestCommittee, round: number) =>
  vi.waitFor(async () => {
    const view = await at.coordinator.view(id);
    expect(view.status === 'finished' || view.round >= round).toBe(true);
  }, patient);

/** A site whose training in some rounds ends when the test lets it. */
async function gated(
  committee: TestCommittee,
  number: number,
  held: readonly number[],
  more: SiteTest = {},
) {
  const gate = Promise.withResolvers<void>();
  /** Rounds whose parameters it has trained from. */
  const trained: number[] = [];
  const refusals: string[] = [];
  /** Rounds in which it was asked, and for which it sent an update. */
  const [asked, sent]: number[][] = [[], []];
  const running = await committee.site(number, {
    ...more,
    onBroadcast: async (_, round) => {
      trained.push(round);
      if (held.includes(round)) await gate.promise;
    },
    onEvent(event: SiteEvent) {
      if (event.type === 'refused') refusals.push(event.code);
      if (event.type === 'task') asked!.push(event.round);
      if (event.type === 'answered') sent!.push(event.round);
    },
  });
  return { ...running, trained, refusals, asked: asked!, sent: sent!, release: gate.resolve };
}

it('waits for no slow site, and counts its update when it comes by its age', async () => {
  const committee = await startCommittee({ ...buffered(2), rounds: 3 }, 3, OPEN);
  all(committee);
  const slow = await gated(committee, 0.9, [0]);
  await gated(committee, 0.1, []);
  await gated(committee, 0.2, []);
  await gated(committee, 0.3, [2]);
  await vi.waitFor(() => expect(slow.asked).toEqual([0, 1, 2]), patient);
  slow.release();
  const ledger = await finished(committee);
  expect(of(ledger, 'finished-round').map(({ behind }) => behind)).toEqual([
    [3],
    [3, 0],
    [2, 0, 1],
  ]);
  expect(of(ledger, 'aborted')).toEqual([]);
  expect([slow.trained, slow.sent, slow.refusals]).toEqual([[0], [2], []]);
  // The server of the library, over the same updates.
  const server = strategyOf('fedbuff', { buffer: BUFFER });
  const sums = [0.1 + 0.2 + 0.3, 0.1 + 0.2 + 0.3, 0.1 + 0.2 + 0.9 / Math.sqrt(3)];
  const length = 4;
  const end = sums.reduce(
    (state, sum) =>
      server.apply(
        state,
        Float64Array.from({ length }, (_, i) => sum * (i + 1)),
        BUFFER,
      ),
    server.initial(new Float32Array(length)),
  );
  const gained = await gainedBy(committee.at, committee.id);
  expect(gained).toHaveLength(length);
  gained.forEach((each, i) => expect(Math.abs(each - end.parameters[i]!)).toBeLessThan(1e-3));
  expect(await verifyLedger(ledgerText(ledger))).toMatchObject({ rounds: 3 });
  expect(committee.at.faults).toEqual([]);
});

it('takes no update that is further behind than the plan allows: its site trains anew', async () => {
  const committee = await startCommittee({ ...buffered(1), rounds: 3 }, 3, OPEN);
  all(committee);
  const slow = await gated(committee, 9, [0]);
  await gated(committee, 0.1, []);
  await gated(committee, 0.2, []);
  await gated(committee, 0.3, [2]);
  await isRound(committee, 2);
  slow.release();
  const ledger = await finished(committee);
  expect(slow.trained).toEqual([0, 2]);
  expect(of(ledger, 'finished-round').map(({ behind }) => behind)).toEqual([[3], [3, 0], [3, 0]]);
});

it('masks an update again that came too late for its round, and does not train for it', async () => {
  const committee = await startCommittee({ ...buffered(2), rounds: 2 }, 3, OPEN);
  all(committee);
  const late = Promise.withResolvers<void>();
  // It is stored before the next round is known, and sent after.
  const change =
    (work: Work): Work =>
    async (task) => {
      const outcome = await work(task);
      if (task.place.round === 0) await late.promise;
      return outcome;
    };
  const site = await gated(committee, 0.9, [], { change });
  await gated(committee, 0.1, []);
  await gated(committee, 0.2, []);
  await gated(committee, 0.3, [1]);
  await isRound(committee, 1);
  late.resolve();
  const ledger = await finished(committee);
  expect(site.trained).toEqual([0]);
  expect(site.refusals).toEqual([]);
  expect(of(ledger, 'finished-round')[1]!.behind).toEqual([2, 1]);
  const gained = await gainedBy(committee.at, committee.id);
  expect(gained[0]).toBeCloseTo(0.2 + (0.3 + 0.9 / Math.SQRT2) / 3, 3);
});

it('masks what was learnt for the next attempt when a helper is lost, and charges both', async () => {
  const committee = await startCommittee({ ...PRIVATE, ...buffered(1), rounds: 1 });
  for (const number of [0, 1]) committee.helper(number);
  const none = (): Outcome => ({ fields: {}, payload: new Uint8Array(300) });
  committee.helper(
    2,
    inPhase('masks', none, (attempt) => attempt === 0),
  );
  const gatedSites = await Promise.all([1, 2, 3, 4].map((number) => gated(committee, number, [])));
  const ledger = await finished(committee);
  expect(of(ledger, 'aborted')).toMatchObject([{ attempt: 0, phase: 'masks' }]);
  expect(of(ledger, 'charged').map(({ releases }) => releases)).toEqual([1, 2]);
  expect(gatedSites.map(({ trained }) => trained)).toEqual([[0], [0], [0], [0]]);
  expect(await verifyLedger(ledgerText(ledger))).toMatchObject({ rounds: 1, releases: 2 });
});

it.each(['input', 'seeds', 'masks'])(
  'resumes after its coordinator was killed in phase %s, and counts each update once',
  async (phase) => {
    const committee = await startCommittee({ ...PRIVATE, ...buffered(2), rounds: 2 });
    const { at, id } = committee;
    const [blocked, going] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const holding =
      (work: Work): Work =>
      async (task) => {
        if (task.place.phase === phase && task.place.round === 0) {
          blocked.resolve();
          await going.promise;
        }
        return work(task);
      };
    for (const number of [0, 1]) committee.helper(number);
    committee.helper(2, holding);
    const slow = await gated(committee, 4, [0]);
    const quick = await Promise.all([1, 2].map((number) => gated(committee, number, [])));
    await gated(committee, 3, [1], { change: holding });
    await blocked.promise;
    await vi.waitFor(async () => {
      const { members } = await at.coordinator.view(id);
      expect(members.filter((each) => each.answered)).toHaveLength(2);
    }, patient);
    await at.restart();
    expect(await at.coordinator.view(id)).toMatchObject({ round: 0, attempt: 0, phase });
    going.resolve();
    await isRound(committee, 1);
    slow.release();
    const ledger = await finished(committee);
    expect(of(ledger, 'charged').map((each) => [each.round, each.attempt, each.releases])).toEqual([
      [0, 0, 1],
      [1, 0, 2],
    ]);
    expect(of(ledger, 'aborted')).toEqual([]);
    expect(of(ledger, 'finished-round').map(({ behind }) => behind)).toEqual([[3], [2, 1]]);
    expect([slow, ...quick].map(({ trained }) => trained)).toEqual([[0], [0, 1], [0, 1]]);
    expect(await verifyLedger(ledgerText(ledger))).toMatchObject({ rounds: 2, releases: 2 });
    expect(at.faults).toEqual([]);
  },
);

it('trains anew at a site that was killed before it had masked what it learnt', async () => {
  const committee = await startCommittee({ ...buffered(2), rounds: 2 }, 3, OPEN);
  all(committee);
  const memory = openSqliteMemory(':memory:');
  const invitation = await committee.at.coordinator.invite(committee.id, { name: 'laptop' });
  const killed = await gated(committee, 9, [0], { memory, invitation });
  await gated(committee, 0.1, []);
  await gated(committee, 0.2, []);
  await gated(committee, 0.3, [1]);
  await isRound(committee, 1);
  await killed.kill();
  const again = await gated(committee, 0.9, [], { memory, invitation });
  const ledger = await finished(committee);
  expect([killed.trained, again.trained]).toEqual([[0], [1]]);
  expect(of(ledger, 'finished-round').map(({ behind }) => behind)).toEqual([[3], [3, 0]]);
});

describe('an update is refused', () => {
  const versions = (fields: Task['fields']) => fields['versions'] as string[];
  it.each<[string, (task: Task) => Task, (outcome: Outcome, first: Outcome) => Outcome, string]>([
    [
      'that was masked for another round',
      (task) => task,
      (_, { fields, payload }) => ({ fields: { ...fields, behind: 1 }, payload }),
      'AGGREGATION_CONTEXT_OTHER',
    ],
    [
      'of parameters that no round of its sum began with',
      (task) => task,
      ({ fields, payload }) => ({ fields: { ...fields, behind: 2 }, payload }),
      'ANSWER_INVALID',
    ],
    [
      'of a site that was sent other rounds than the rest',
      (task) => {
        const sent = ['0'.repeat(64), versions(task.fields).at(-1)!];
        return { ...task, fields: { ...task.fields, versions: sent } };
      },
      (outcome) => outcome,
      'AGGREGATION_CONTEXT_OTHER',
    ],
    [
      'of a site that was not sent all rounds',
      (task) => {
        const sent = versions(task.fields).slice(1);
        return { ...task, fields: { ...task.fields, versions: sent } };
      },
      (outcome) => outcome,
      'FEDERATION_PROTOCOL',
    ],
  ])('%s', async (_, ask, change, code) => {
    const committee = await startCommittee({ ...buffered(2), rounds: 2 }, 3, OPEN);
    all(committee);
    let first: Outcome | undefined;
    const refusals: string[] = [];
    await committee.site(9, {
      change: (work) => async (task) => {
        if (task.place.round > 0) return change(await work(ask(task)), first!);
        return (first = await work(task));
      },
      onEvent: (event) => event.type === 'refused' && refusals.push(event.code),
    });
    // The first round counts the others, the second ends with it.
    const last = await gated(committee, 0.2, [0]);
    await gated(committee, 0.1, []);
    await gated(committee, 0.3, []);
    await vi.waitFor(() => expect(refusals).toEqual([code]), patient);
    last.release();
    const ledger = await finished(committee);
    expect(of(ledger, 'finished-round').map(({ behind }) => behind)).toEqual([[3], [2, 1]]);
    expect(committee.at.faults).toEqual([]);
  });

  it('that is the second one of its site in a buffer', async () => {
    const committee = await startCommittee({ ...buffered(2), rounds: 1 }, 3, OPEN);
    const { at, id } = committee;
    const keys = await openSqliteMemory(':memory:').identity();
    const training = {
      update: async (_: number, from: Float32Array) => ({
        numbers: from.map(() => 0.9),
        weight: 1,
      }),
    };
    let second: (ScriptedAnswer & { readonly place: Place; readonly plan: string }) | undefined;
    const site = await joinScripted(
      at,
      await at.coordinator.invite(id, { name: 'twice' }),
      async (task) => {
        const work = await committeeWork({
          ...task,
          coordinator: at.coordinator.key,
          keys,
          training,
        });
        const asked = { ...task, state: undefined };
        second = { ...(await work(asked)), place: task.place, plan: task.planDigest };
        return work(asked);
      },
      { identity: await identityOf(keys) },
    );
    const came = (kind: string) => site.arrivals.some(({ message }) => message.kind === kind);
    all(committee);
    const last = await gated(committee, 0.1, [0]);
    const other = await gated(committee, 0.2, [0]);
    await gated(committee, 0.3, []);
    await vi.waitFor(() => expect(came('acknowledge')).toBe(true), patient);
    await sendAnswer(site, id, second!.plan, second!.place, second!);
    await vi.waitFor(() => expect(came('refuse')).toBe(true), patient);
    const codes = site.arrivals.map(({ message }) => ('code' in message ? message.code : ''));
    expect(codes).toContain('ANSWER_CONFLICT');
    for (const each of [last, other]) each.release();
    expect(of(await finished(committee), 'finished-round')).toMatchObject([{ behind: [3] }]);
  });
});
