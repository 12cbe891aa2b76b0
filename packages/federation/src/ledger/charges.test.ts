/** Ledgers that a coordinator has signed from end to end, and that still say what cannot be. */
import { expect, it } from 'vitest';
import { digestOf } from '@skein/api/canonical';
import { createIdentity } from '../identity/keys.ts';
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

/** The ledger of a plan in which these events follow the first entry. */
async function ledgerOf(events: readonly LedgerEvent[], of: Plan = plan): Promise<string> {
  const coordinator = await createIdentity();
  const started: LedgerEvent = {
    kind: 'started',
    plan: await digestOf(of),
    model: of.model.digest,
    terms: {},
  };
  const entries: LedgerEntry[] = [];
  for (const event of [started, ...events]) {
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
const done = (attempt = 0): LedgerEvent => ({
  kind: 'finished-round',
  round: 0,
  attempt,
  survivors: ['a', 'b', 'c'],
  before: 'a'.repeat(64),
  after: 'b'.repeat(64),
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
  await expect(verifyLedger(await ledgerOf([...first, charge(2, 1)], small))).rejects.toMatchObject(
    { message: expect.stringContaining('more than the budget') },
  );
});

it('refuses a charge of a plan without privacy, whose rounds need none', async () => {
  const open = completePlan(draft({ privacy: { mode: 'none' } } satisfies Partial<PlanDraft>));
  await expect(verifyLedger(await ledgerOf([done()], open))).resolves.toMatchObject({ rounds: 1 });
  await expect(verifyLedger(await ledgerOf([charge(1)], open))).rejects.toMatchObject({
    message: expect.stringContaining("other terms than the plan's"),
  });
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
