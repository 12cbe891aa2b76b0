/** Ledgers whose coordinator has signed every entry and the head, but which belong to another chain, or name sites falsely. */
import { expect, it } from 'vitest';
import { canonical, digestOf } from '@skein/api/canonical';
import { createIdentity, pseudonymOf } from '../identity/keys.ts';
import { openPlan } from '../testing/plans.ts';
import { type LedgerEntry, type LedgerEvent, nextEntry, type Witness } from './entry.ts';
import { exportLedger } from './export.ts';
import { ledgerText, verifyLedger } from './verify.ts';

const plan = openPlan({ sites: { minimum: 2, maximum: 2 } });
const planDigest = await digestOf(plan);
const coordinator = await createIdentity();
const sites = await Promise.all([0, 1, 2].map(() => createIdentity()));
const names = await Promise.all(sites.map(({ key }) => pseudonymOf(key)));
const other = 'f'.repeat(64);

interface Step {
  readonly event: LedgerEvent;
  readonly run?: string;
  readonly at?: string;
  readonly witnesses?: (entries: readonly LedgerEntry[]) => Promise<readonly Witness[]>;
  /** Changes what the entry follows. */
  readonly after?: Partial<LedgerEntry>;
}

const started: Step = {
  event: { kind: 'started', plan: planDigest, model: plan.model.digest, terms: {} },
};
type Of<K extends LedgerEvent['kind']> = Extract<LedgerEvent, { kind: K }>;
async function accepted(i: number, more: Partial<Of<'accepted'>> = {}): Promise<Step> {
  const { key } = sites[i]!;
  const signed = { run: 'f-1', plan: more.plan ?? planDigest };
  const signature = await sites[i]!.sign('accept', signed);
  const [site, role] = [names[i]!, 'site'];
  return { event: { kind: 'accepted', site, role, key, plan: planDigest, signature, ...more } };
}
const opened = (more: Partial<Of<'opened'>> = {}): Step => ({
  event: { kind: 'opened', round: 0, attempt: 0, roster: names.slice(0, 2), ...more },
});
const done = (more: Partial<Of<'finished-round'>> = {}): Step => ({
  event: {
    kind: 'finished-round',
    round: 0,
    attempt: 0,
    survivors: names.slice(0, 2),
    before: plan.model.digest,
    after: 'b'.repeat(64),
    ...more,
  },
});
const paused: Step = { event: { kind: 'paused', reason: '' } };
const [first, second] = [await accepted(0), await accepted(1)];

async function textOf(steps: readonly Step[]): Promise<string> {
  const entries: LedgerEntry[] = [];
  for (const { event, run = 'f-1', at = '2026-01-01T00:00:00.000Z', witnesses, after } of steps) {
    const before = entries.at(-1);
    const given = { run, at, event, witnesses: [...((await witnesses?.(entries)) ?? [])] };
    entries.push(await nextEntry(coordinator, before && { ...before, ...after }, given));
  }
  const store = { ledger: async (_: string, from: number) => entries.slice(from) };
  return ledgerText(await exportLedger(store, coordinator, { id: 'f-1', plan }));
}

/** An entry that holds a site's signature of entry 1. */
const witnessed = (
  more: (entries: readonly LedgerEntry[]) => Partial<Witness> = () => ({}),
): Step => ({
  ...paused,
  async witnesses(entries) {
    const { sequence, hash } = entries[1]!;
    const witness = { key: sites[0]!.key, sequence, hash, ...more(entries) };
    const signature = await sites[0]!.sign('witness', witness.hash);
    return [{ signature, ...witness }];
  },
});

it('is right about a round of sites that have signed, and names the last entry that each has', async () => {
  const text = await textOf([started, first, second, witnessed(), opened(), done()]);
  const verified = await verifyLedger(text);
  expect(verified).toMatchObject({ rounds: 1, clockSetBack: [] });
  expect([...verified.witnesses]).toEqual([[names[0], 1]]);
});

it.each<[string, string, Step[]]>([
  [
    'a signature of another site',
    'not of entry 1',
    [first, second, witnessed(() => ({ key: sites[1]!.key }))],
  ],
  [
    'a signature of a site that has not accepted',
    'not of entry 1',
    [first, witnessed(() => ({ key: sites[1]!.key }))],
  ],
  ['a signature of another entry', 'not of entry 0', [first, witnessed(() => ({ sequence: 0 }))]],
  [
    'a signature of an entry that is not in it',
    'not of entry 1',
    [first, witnessed(() => ({ hash: other }))],
  ],
  ['an acceptance of another plan', 'was not accepted', [await accepted(0, { plan: other })]],
  [
    'an acceptance that another site has signed',
    'was not accepted',
    [await accepted(0, { key: sites[1]!.key, site: names[1]! })],
  ],
  [
    'an acceptance in the name of another site',
    'was not accepted',
    [await accepted(0, { site: names[1]! })],
  ],
  ['an entry of another federation', 'belongs to another federation', [{ ...paused, run: 'f-2' }]],
  ['an entry with another number', 'has the number 2', [{ ...paused, after: { sequence: 1 } }]],
  ['an entry that follows another one', 'does not follow', [{ ...paused, after: { hash: other } }]],
  ['a sum of another attempt', 'not open', [first, second, opened(), done({ attempt: 1 })]],
  [
    'a roster of more sites than the plan',
    'more sites than the plan',
    [first, second, await accepted(2), opened({ roster: names })],
  ],
])('refuses %s', async (_, reason, steps) => {
  await expect(verifyLedger(await textOf([started, ...steps]))).rejects.toMatchObject({
    code: 'LEDGER_INVALID',
    message: expect.stringContaining(reason),
  });
});

it('takes a sum of few sites where no site hides behind another', async () => {
  const text = await textOf([started, first, second, opened(), done({ survivors: [names[0]!] })]);
  expect(await verifyLedger(text)).toMatchObject({ rounds: 1 });
});

it('reports where the clock was set back by more than a correction', async () => {
  const at = (time: string): Step => ({ ...paused, at: `2026-01-01T${time}.000Z` });
  const steps = [started, at('00:10:00'), at('00:09:30'), at('00:07:00'), at('00:08:00')];
  expect((await verifyLedger(await textOf(steps))).clockSetBack).toEqual([3]);
});

it('refuses another form of the same ledger', async () => {
  const text = await textOf([started]);
  const value = JSON.parse(text) as object;
  expect(text).toBe(`${canonical(value)}\n`);
  for (const form of [JSON.stringify(value, undefined, 1), text.trimEnd()]) {
    await expect(verifyLedger(form)).rejects.toMatchObject({ code: 'LEDGER_INVALID' });
  }
});
