/**
 * A network that is gone for a while in each phase of both protocols: what was sent arrives later or again,
 * nothing is answered twice, and nothing is counted twice. SKEIN_FULL=1 takes a whole minute.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it, onTestFinished, vi } from 'vitest';
import { ledgerText, verifyLedger } from '../../ledger/verify.ts';
import type { PlanDraft } from '../../plan/plan.ts';
import type { Work } from '../../site/answers.ts';
import { startCommittee } from '../testing/committee.ts';
import { all, of, patient, PRIVATE } from '../testing/committee-trial.ts';
import { gainedBy, startFederation, type TestFederation } from '../testing/federation.ts';
import { startHospital } from '../testing/hospital.ts';
import { startNetwork, type TestNetwork } from '../testing/network.ts';

const isFull = process.env['SKEIN_FULL'] === '1';
const DARK_MS = isFull ? 60_000 : 300;
const timeout = isFull ? 300_000 : 90_000;
/** Longer than the network is away. */
const LONG = { phaseMs: 600_000, trainMs: 600_000 };
const patiently = { ...patient, timeout: timeout - 10_000 };

const SECURE: Partial<PlanDraft> = {
  aggregation: { kind: 'pairwise' },
  strategy: { name: 'fedsgd' },
  privacy: { mode: 'patient', noise: 20, denominator: 500, epsilon: 2 },
  sites: { minimum: 4, maximum: 4 },
  deadlines: LONG,
  rounds: 2,
};

async function finished(at: TestFederation, id: string) {
  await vi.waitFor(
    async () => expect((await at.coordinator.view(id)).status).toBe('finished'),
    patiently,
  );
  return at.coordinator.ledger(id);
}

/** Takes the network away when a phase of round 0 is first asked for, and gives it back later. */
function outage(network: TestNetwork, phase: string) {
  const computed = new Map<string, number>();
  let begun = false;
  const change =
    (name: string) =>
    (work: Work): Work =>
    async (task) => {
      const { place } = task;
      const key = `${name} ${place.round}/${place.attempt}/${place.phase}`;
      computed.set(key, (computed.get(key) ?? 0) + 1);
      if (!begun && place.phase === phase) {
        begun = true;
        network.goDark();
        void pause(DARK_MS).then(() => network.breakAndReturn());
      }
      return work(task);
    };
  return { change, computed, hasBegun: () => begun };
}

async function requireWhole(at: TestFederation, id: string) {
  const ledger = await finished(at, id);
  expect(of(ledger, 'aborted')).toEqual([]);
  expect(of(ledger, 'charged').map((each) => [each.round, each.attempt, each.releases])).toEqual([
    [0, 0, 1],
    [1, 0, 2],
  ]);
  expect(of(ledger, 'finished-round').map(({ survivors }) => survivors.length)).toEqual([4, 4]);
  expect(await verifyLedger(ledgerText(ledger))).toMatchObject({ rounds: 2, releases: 2 });
  expect(at.faults).toEqual([]);
}

it.each(['keys', 'shares', 'input', 'consistency', 'unmasking'])(
  'loses and repeats nothing of pairwise masks when the network is gone in phase %s',
  async (phase) => {
    const at = await startFederation(SECURE);
    const { id } = await at.coordinator.start(at.draft);
    const network = await startNetwork(at);
    const { change, computed, hasBegun } = outage(network, phase);
    for (const number of [1, 2, 3, 4]) {
      const { open } = network;
      await startHospital(at, { run: id, number, open, change: change(`${number}`) });
    }
    await requireWhole(at, id);
    expect(hasBegun()).toBe(true);
    expect([...computed.values()].every((times) => times === 1)).toBe(true);
  },
  timeout,
);

it.each(['input', 'seeds', 'masks'])(
  'loses and repeats nothing of a committee when the network is gone in phase %s',
  async (phase) => {
    let network!: TestNetwork;
    const committee = await startCommittee({ ...PRIVATE, deadlines: LONG }, 3, {}, async (at) => {
      network = await startNetwork(at);
      return network;
    });
    const { change, computed, hasBegun } = outage(network, phase);
    for (const number of [0, 1, 2]) committee.helper(number, change(`helper ${number}`));
    for (const number of [1, 2, 3, 4]) {
      await committee.site(number, { change: change(`site ${number}`) });
    }
    await requireWhole(committee.at, committee.id);
    expect(hasBegun()).toBe(true);
    expect([...computed.values()].every((times) => times === 1)).toBe(true);
  },
  timeout,
);

it('ends an attempt that the network was away from for longer than a phase, and charges the releases that it may have made', async () => {
  const deadlines = { phaseMs: 600_000, trainMs: 2000 };
  const at = await startFederation({ ...SECURE, rounds: 1, deadlines });
  const { id } = await at.coordinator.start(at.draft);
  const network = await startNetwork(at);
  let begun = false;
  for (const number of [1, 2, 3, 4]) {
    const change =
      (work: Work): Work =>
      async (task) => {
        if (!begun && task.place.phase === 'input') {
          begun = true;
          network.goDark();
        }
        return work(task);
      };
    await startHospital(at, { run: id, number, open: network.open, change });
  }
  const attempt = async () => (await at.coordinator.view(id)).attempt;
  await vi.waitFor(async () => expect(await attempt()).toBeGreaterThan(0), patiently);
  network.breakAndReturn();
  const ledger = await finished(at, id);
  const aborted = of(ledger, 'aborted');
  expect(aborted[0]).toMatchObject({ attempt: 0, phase: 'input', code: 'SITES_MISSING' });
  const charged = of(ledger, 'charged').map(({ releases }) => releases);
  expect(charged).toEqual(charged.map((_, i) => i + 1));
  expect(charged.length).toBeGreaterThan(1);
  expect(await verifyLedger(ledgerText(ledger))).toMatchObject({ releases: charged.length });
}, 90_000);

it('connects again to a coordinator that has become silent, although its connection never ends', async () => {
  const at = await startFederation({ ...SECURE, rounds: 1 });
  const { id } = await at.coordinator.start(at.draft);
  at.statusMs = 100;
  await at.restart();
  const [network, other] = [await startNetwork(at), await startNetwork(at)];
  const lost: string[] = [];
  let begun = false;
  const { ended } = await startHospital(at, {
    run: id,
    number: 1,
    open: network.open,
    change: (work) => async (task) => {
      if (!begun && task.place.phase === 'input') {
        begun = true;
        network.goDark();
        network.returnForOthers();
      }
      return work(task);
    },
    more: {
      silentMs: 2000,
      onEvent: (event) => event.type === 'lost' && lost.push(event.reason),
    },
  });
  for (const number of [2, 3, 4]) await startHospital(at, { run: id, number, open: other.open });
  const ledger = await finished(at, id);
  expect(of(ledger, 'finished-round')[0]!.survivors).toHaveLength(4);
  expect(await ended).toMatchObject({ status: 'finished' });
  expect(lost.length).toBeGreaterThan(0);
}, 90_000);

it('receives the status again and again, and reports a change of it only', async () => {
  const at = await startFederation({ ...SECURE, rounds: 1 });
  const { id } = await at.coordinator.start(at.draft);
  at.statusMs = 20;
  await at.restart();
  const network = await startNetwork(at);
  const reported: string[] = [];
  const connections: string[] = [];
  await startHospital(at, {
    run: id,
    number: 1,
    open: network.open,
    more: {
      silentMs: 1000,
      onEvent(event) {
        if (event.type === 'status') reported.push(event.status);
        if (event.type === 'connected') connections.push(event.name);
      },
    },
  });
  // Nothing is asked of it, because three are missing, for longer than it bears silence.
  await pause(2500);
  expect(connections).toHaveLength(1);
  await at.coordinator.pause(id, 'lunch');
  await vi.waitFor(() => expect(reported).toEqual(['running', 'paused']), patiently);
}, 60_000);

it.each([
  ['ten years ahead', 10],
  ['ten years behind', -10],
])(
  'sites and helpers whose clock is %s take part like others',
  async (_, years) => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + years * 365.25 * 86_400_000 });
    onTestFinished(() => void vi.useRealTimers());
    // The coordinator has a clock of its own in tests.
    const at = await startFederation({ ...SECURE, rounds: 1 });
    const { id } = await at.coordinator.start(at.draft);
    const network = await startNetwork(at);
    for (const number of [1, 2, 3, 4]) {
      await startHospital(at, { run: id, number, open: network.open });
    }
    const first = await finished(at, id);
    expect(first.entries.every((entry) => entry.at.startsWith('2026-01-01'))).toBe(true);
    expect((await gainedBy(at, id)).some((each) => each !== 0)).toBe(true);
    const committee = await startCommittee({ ...PRIVATE, rounds: 1, deadlines: LONG });
    all(committee);
    for (const number of [1, 2, 3, 4]) await committee.site(number);
    const second = await finished(committee.at, committee.id);
    expect(of(second, 'finished-round')[0]!.survivors).toHaveLength(4);
  },
  90_000,
);
