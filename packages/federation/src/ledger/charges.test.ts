/** Ledgers that a coordinator has signed from end to end, and whose entries contradict each other. */
import { expect, it } from 'vitest';
import { digestOf } from '@skein/api/canonical';
import { createIdentity, pseudonymOf } from '../identity/keys.ts';
import { completePlan } from '../plan/complete.ts';
import type { Plan, PlanDraft } from '../plan/plan.ts';
import { chargeOf } from '../plan/spent.ts';
import { draft } from '../testing/plans.ts';
import { type LedgerEntry, type LedgerEvent, nextEntry } from './entry.ts';
import { exportLedger } from './export.ts';
import { ledgerText, verifyLedger } from './verify.ts';

const plan = completePlan(
  draft({ privacy: { mode: 'patient', noise: 20, denominator: 500 }, collusion: { sites: 1 } }),
);

const sites = await Promise.all([0, 1, 2, 3].map(() => createIdentity()));
const names = await Promise.all(sites.map(({ key }) => pseudonymOf(key)));

/** A ledger of a plan that four sites have accepted, with these events, and an entry where an attempt of them begins. */
async function ledgerOf(events: readonly LedgerEvent[], of: Plan = plan): Promise<string> {
  const coordinator = await createIdentity();
  const digest = await digestOf(of);
  const accepted = await Promise.all(
    sites.map(async (site, i): Promise<LedgerEvent> => {
      const { key } = site;
      const signature = await site.sign('accept', { run: 'f-1', plan: digest });
      return { kind: 'accepted', site: names[i]!, key, role: 'site', plan: digest, signature };
    }),
  );
  const started: LedgerEvent = {
    kind: 'started',
    plan: digest,
    model: of.model.digest,
    terms: {},
  };
  const begun = new Set<string>();
  const opening = (event: LedgerEvent): LedgerEvent[] => {
    if (!('attempt' in event) || event.kind === 'aborted') return [];
    const { round, attempt } = event;
    const isNew = event.kind !== 'opened' && !begun.has(`${round}/${attempt}`);
    begun.add(`${round}/${attempt}`);
    return isNew ? [opened({ round, attempt })] : [];
  };
  const entries: LedgerEntry[] = [];
  const all = events.flatMap((event) => [...opening(event), event]);
  for (const event of [started, ...accepted, ...all]) {
    const at = new Date(0).toISOString();
    const given = { run: 'f-1', at, event, witnesses: [] };
    entries.push(await nextEntry(coordinator, entries.at(-1), given));
  }
  const store = { ledger: async (_: string, from: number) => entries.slice(from) };
  return ledgerText(await exportLedger(store, coordinator, { id: 'f-1', plan: of }));
}

const charge = (releases: number, attempt = 0, more: object = {}): LedgerEvent => {
  const [event] = chargeOf(plan, { round: 0, attempt, releases });
  return { ...event!, ...more };
};
type Opened = Extract<LedgerEvent, { kind: 'opened' }>;
const opened = (more: Partial<Opened> = {}): LedgerEvent => ({
  kind: 'opened',
  round: 0,
  attempt: 0,
  roster: names,
  ...more,
});
const done = (
  attempt = 0,
  more: Partial<Extract<LedgerEvent, { kind: 'finished-round' }>> = {},
): LedgerEvent => ({
  kind: 'finished-round',
  round: 0,
  attempt,
  survivors: names.slice(0, 3),
  before: plan.model.digest,
  after: 'b'.repeat(64),
  ...more,
});

it('is right about a round, also after an attempt that was charged and aborted', async () => {
  const verified = await verifyLedger(await ledgerOf([charge(1), charge(2, 1), done(1)]));
  expect(verified).toMatchObject({ releases: 2, rounds: 1 });
});

it('may name more than this version computes, or that there is no bound', async () => {
  const spent = [0, 1].map((colluding) => ({ colluding, epsilon: colluding === 0 ? 9 : null }));
  await expect(
    verifyLedger(await ledgerOf([charge(1, 0, { spent }), done()])),
  ).resolves.toBeDefined();
});

const [{ spent }] = chargeOf(plan, { round: 0, attempt: 0, releases: 1 }) as [
  Extract<LedgerEvent, { kind: 'charged' }>,
];
it.each<[string, string, LedgerEvent[]]>([
  ['a round that was never charged', 'its sum was not charged', [done()]],
  ['a round that was charged as another attempt', 'its sum was not charged', [charge(1), done(1)]],
  ['a release that was left out', 'a release is missing', [charge(2), done()]],
  ['a release that is counted once for two', 'a release is missing', [charge(1), charge(1, 1)]],
  [
    'noise that is not the one of the plan',
    "other terms than the plan's",
    [charge(1, 0, { noise: 21 })],
  ],
  ['another clip', "other terms than the plan's", [charge(1, 0, { clip: 2 })]],
  ['another δ', "other terms than the plan's", [charge(1, 0, { delta: 1e-5 })]],
  [
    'a smaller ε',
    'less than what the releases have spent',
    [charge(1, 0, { spent: spent.map((each) => ({ ...each, epsilon: each.epsilon! * 0.999 })) })],
  ],
  ['no ε with collusion', 'less than what', [charge(1, 0, { spent: spent.slice(0, 1) })]],
])('refuses %s', async (_, reason, events) => {
  const text = await ledgerOf(events);
  await expect(verifyLedger(text)).rejects.toMatchObject({
    code: 'LEDGER_INVALID',
    message: expect.stringContaining(reason),
  });
});

it('refuses a release that the budget of the plan does not allow', async () => {
  const privacy = { mode: 'patient', noise: 20, denominator: 500, epsilon: 0.15 } as const;
  const small = completePlan(draft({ privacy, collusion: { sites: 1 } }));
  const first = [charge(1), done()];
  await expect(verifyLedger(await ledgerOf(first, small))).resolves.toMatchObject({ releases: 1 });
  await expect(
    verifyLedger(await ledgerOf([...first, charge(2, 0, { round: 1 })], small)),
  ).rejects.toMatchObject({ message: expect.stringContaining('more than the budget') });
});

it('refuses a charge of a plan without privacy, whose rounds need none', async () => {
  const open = completePlan(draft({ privacy: { mode: 'none' } } satisfies Partial<PlanDraft>));
  await expect(verifyLedger(await ledgerOf([done()], open))).resolves.toMatchObject({ rounds: 1 });
  await expect(verifyLedger(await ledgerOf([charge(1)], open))).rejects.toMatchObject({
    message: expect.stringContaining("other terms than the plan's"),
  });
});

const after = 'b'.repeat(64);
const ended = (model: string): LedgerEvent => ({
  kind: 'ended',
  status: 'stopped',
  reason: '',
  model,
});
it.each<[string, string, LedgerEvent[]]>([
  [
    'a roster of a site that has not accepted the plan',
    'takes no part',
    [opened({ roster: [...names.slice(0, 3), 'site-x'] })],
  ],
  ['a roster of a revoked site', 'takes no part', [{ kind: 'revoked', site: names[3]! }, opened()]],
  ['a roster with one site twice', 'twice', [opened({ roster: [...names, names[0]!] })]],
  ['a round beyond the plan', 'not one of those to come', [opened({ round: 1e6 })]],
  ['a round that is over', 'not one of those to come', [charge(1), done(), opened({ attempt: 1 })]],
  [
    'a sum of fewer sites than share its noise',
    'its sum has 2 sites',
    [charge(1), done(0, { survivors: names.slice(0, 2) })],
  ],
  [
    'a sum with one site twice',
    'other sites than its roster',
    [charge(1), done(0, { survivors: [names[0]!, names[0]!, names[1]!] })],
  ],
  [
    'a sum of sites outside of the roster',
    'other sites than its roster',
    [opened({ roster: names.slice(0, 3) }), charge(1), done(0, { survivors: names.slice(1) })],
  ],
  ['two sums of one attempt', 'not open', [charge(1), done(), done()]],
  [
    'a sum of an attempt that was aborted',
    'not open',
    [
      charge(1),
      { kind: 'aborted', round: 0, attempt: 0, phase: 'input', code: 'SITES_MISSING', reason: '' },
      done(),
    ],
  ],
  [
    'a round that begins with other parameters',
    'other parameters',
    [charge(1), done(0, { before: after })],
  ],
  ['an end with other parameters', 'other parameters', [charge(1), done(), ended('c'.repeat(64))]],
])('refuses %s', async (_, reason, events) => {
  await expect(verifyLedger(await ledgerOf(events))).rejects.toMatchObject({
    code: 'LEDGER_INVALID',
    message: expect.stringContaining(reason),
  });
});

it('is right about an end with the parameters of the last sum', async () => {
  const text = await ledgerOf([charge(1), done(), ended(after)]);
  await expect(verifyLedger(text)).resolves.toMatchObject({ rounds: 1 });
});

const HELPERS = ['1', '2'].map((digit) => ({
  name: `helper ${digit}`,
  identity: digit.repeat(64),
  sealing: `${Number(digit) + 4}`.repeat(64),
  proof: '0'.repeat(128),
}));
it.each<[string, string | undefined, object]>([
  ['a buffer that is full', undefined, { behind: [3] }],
  ['updates of rounds that were not', 'other rounds', { behind: [2, 1] }],
  ['more updates than there are sites', 'other rounds', { behind: [4] }],
  ['more sites than the buffer holds', 'has 4 sites', { survivors: names, behind: [4] }],
])('checks %s', async (_, reason, more) => {
  const buffered = completePlan(
    draft({
      strategy: { name: 'fedbuff', buffer: 3, staleness: 1 },
      privacy: { mode: 'none' },
      aggregation: { kind: 'committee', helpers: HELPERS, repeatWithOthers: true },
    }),
  );
  const verified = verifyLedger(await ledgerOf([done(0, more)], buffered));
  if (reason === undefined) await expect(verified).resolves.toMatchObject({ rounds: 1 });
  else {
    await expect(verified).rejects.toMatchObject({
      code: 'LEDGER_INVALID',
      message: expect.stringContaining(reason),
    });
  }
});

const summed = (helper: string, list: string, sites = 3): LedgerEvent => ({
  kind: 'summed',
  round: 0,
  attempt: 0,
  helper,
  sites,
  list: list.repeat(64),
});
it.each([
  ['lists of their own', [summed('Basel', 'c'), summed('Delft', 'd')]],
  ['fewer sites', [summed('Basel', 'c', 2), summed('Delft', 'c', 2)]],
])('refuses a sum whose helpers have signed %s', async (_, events) => {
  const right = [summed('Basel', 'c'), summed('Delft', 'c')];
  const of = (given: LedgerEvent[]) => ledgerOf([charge(1), ...given, done()]);
  await expect(verifyLedger(await of(right))).resolves.toMatchObject({ rounds: 1 });
  await expect(verifyLedger(await of(events))).rejects.toMatchObject({
    code: 'LEDGER_INVALID',
    message: expect.stringContaining('summed other sites'),
  });
});
