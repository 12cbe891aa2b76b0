import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { completePlan } from '../../plan/complete.ts';
import { mostReleases, spentAfter } from '../../plan/spent.ts';
import { draft } from '../../testing/plans.ts';
import { type Entrant, openSiteAccounts, type SiteAccounts } from './sqlite-account.ts';

const plan = completePlan(
  draft({
    rounds: 30,
    privacy: { mode: 'patient', noise: 20, denominator: 500, epsilon: 0.66, delta: 1e-3 },
  }),
);
const MOST = mostReleases(plan);
const ONE = spentAfter(plan, MOST)[1]!.epsilon;
const LIMIT = { unit: 'row', epsilon: 0.8, delta: 1e-3 } as const;
const NOW = new Date('2026-11-28T00:00:00Z');

const entrant = (run: string, more: Partial<Entrant> = {}): Entrant => ({
  account: 'default',
  run,
  site: 'b'.repeat(64),
  plan,
  planDigest: 'a'.repeat(64),
  data: 'd'.repeat(64),
  ...more,
});

let path: string;
let opened: SiteAccounts[];
const open = (): SiteAccounts => {
  const accounts = openSiteAccounts(path);
  opened.push(accounts);
  return accounts;
};
const refused = (code: string) => expect.objectContaining({ code });
beforeEach(async () => {
  opened = [];
  path = join(testFolder(), 'privacy.db');
});
afterEach(async () => {
  for (const each of opened) each.dispose();
});

it('keeps what was charged over a restart, once for a number that comes again', async () => {
  const before = open();
  before.admit(entrant('r1'), NOW);
  before.charge(entrant('r1'), 1);
  before.charge(entrant('r1'), 2);
  before.charge(entrant('r1'), 2);
  before.dispose();
  const after = open();
  after.charge(entrant('r1'), 1);
  const { row, federations } = after.report('default');
  expect(row.spent).toBeCloseTo(spentAfter(plan, 2)[1]!.epsilon, 9);
  expect(row.committed).toBeCloseTo(ONE, 9);
  expect(federations).toEqual([
    expect.objectContaining({ run: 'r1', releases: 2, most: MOST, open: true, hides: 'row' }),
  ]);
  const shown = after.preview(entrant('r1')).report;
  expect(shown).toEqual(after.report('default'));
  expect(after.names()).toEqual(['default']);
  expect((await stat(path)).mode & 0o077).toBe(0);
});

it('refuses a plan that could exceed the limit with those that are open, in another process too', () => {
  const [one, other] = [open(), open()];
  one.limit('default', LIMIT);
  one.admit(entrant('r1'), NOW);
  const found = other.preview(entrant('r2'));
  expect(found.refusal).toMatch(/ε could reach 1\.\d+ for any one row/);
  expect(found.report.federations).toHaveLength(2);
  expect(() => other.admit(entrant('r2'), NOW)).toThrow(refused('PRIVACY_LIMIT_REACHED'));
  expect(other.report('default').federations).toHaveLength(1);
  expect(() => other.charge(entrant('r2'), 1)).toThrow(refused('PRIVACY_ACCOUNT_CLOSED'));
  // It ended after one round: the rest is free.
  one.charge(entrant('r1'), 1);
  expect(one.close('r1')).toBe(1);
  expect(one.close('r1')).toBe(0);
  expect(other.preview(entrant('r2')).refusal).toBeUndefined();
  other.admit(entrant('r2'), NOW);
  expect(() => one.admit(entrant('r1'), NOW)).toThrow(refused('PRIVACY_LIMIT_REACHED'));
});

it('charges nothing for a closed federation until it is admitted again, and continues to count then', () => {
  const accounts = open();
  accounts.admit(entrant('r1'), NOW);
  accounts.charge(entrant('r1'), 3);
  accounts.close('r1');
  expect(() => accounts.charge(entrant('r1'), 4)).toThrow(refused('PRIVACY_ACCOUNT_CLOSED'));
  accounts.admit(entrant('r1'), NOW);
  accounts.charge(entrant('r1'), 4);
  expect(accounts.report('default').federations).toEqual([
    expect.objectContaining({ releases: 4, open: true }),
  ]);
});

it('counts a site that has lost its memory, and its key with it, anew', () => {
  const accounts = open();
  accounts.admit(entrant('r1'), NOW);
  accounts.charge(entrant('r1'), 5);
  const again = entrant('r1', { site: 'c'.repeat(64) });
  accounts.admit(again, NOW);
  accounts.charge(again, 1);
  expect(accounts.report('default').row.spent).toBeCloseTo(spentAfter(plan, 6)[1]!.epsilon, 9);
});

it('stops what was accepted before at a limit that is set later, at the release that would exceed it', () => {
  const accounts = open();
  accounts.admit(entrant('r1'), NOW);
  accounts.charge(entrant('r1'), 9);
  const epsilon = spentAfter(plan, 10)[1]!.epsilon;
  const { row } = accounts.limit('default', { ...LIMIT, epsilon });
  expect(row.committed).toBeGreaterThan(epsilon);
  accounts.charge(entrant('r1'), 10);
  expect(() => accounts.charge(entrant('r1'), 11)).toThrow(refused('PRIVACY_LIMIT_REACHED'));
  expect(accounts.report('default').row.spent).toBeCloseTo(epsilon, 9);
  accounts.limit('default', undefined);
  accounts.charge(entrant('r1'), 11);
});

it('counts no more releases than the plan allows, which are not released', () => {
  const accounts = open();
  accounts.admit(entrant('r1'), NOW);
  accounts.charge(entrant('r1'), 10 * MOST);
  expect(accounts.report('default').row.spent).toBeCloseTo(ONE, 9);
});

it('refuses rows, and a federation, that another account counts', () => {
  const accounts = open();
  accounts.admit(entrant('r1'), NOW);
  const elsewhere = { account: 'cardiology' };
  for (const given of [
    entrant('r2', elsewhere),
    entrant('r1', { ...elsewhere, data: 'e'.repeat(64) }),
  ]) {
    expect(() => accounts.preview(given)).toThrow(refused('PRIVACY_ACCOUNT_OTHER'));
    expect(() => accounts.admit(given, NOW)).toThrow(refused('PRIVACY_ACCOUNT_OTHER'));
  }
  accounts.admit(entrant('r2', { ...elsewhere, data: 'e'.repeat(64) }), NOW);
  expect(accounts.names()).toEqual(['cardiology', 'default']);
  expect(accounts.report('cardiology').federations.map(({ run }) => run)).toEqual(['r2']);
});

it('counts the plan that is accepted, not one that was shown before it, and no second one', () => {
  const accounts = open();
  const loud = completePlan(
    draft({ rounds: 30, privacy: { mode: 'patient', noise: 200, denominator: 500, delta: 1e-3 } }),
  );
  accounts.admit(entrant('r1', { plan: loud, planDigest: 'e'.repeat(64) }), NOW);
  accounts.admit(entrant('r1'), NOW);
  accounts.charge(entrant('r1'), 1);
  const { row, federations } = accounts.report('default');
  expect(row.spent).toBeCloseTo(spentAfter(plan, 1)[1]!.epsilon, 9);
  expect(federations).toMatchObject([{ most: MOST, planDigest: 'a'.repeat(64) }]);
  const swapped = entrant('r1', { plan: loud, planDigest: 'e'.repeat(64) });
  expect(() => accounts.admit(swapped, NOW)).toThrow(refused('SITE_PLAN_CHANGED'));
  expect(() => accounts.preview(swapped)).toThrow(refused('SITE_PLAN_CHANGED'));
});

it('counts again what an older copy of it lacks, beyond its limit too, and never less than before', () => {
  const accounts = open();
  accounts.limit('default', { ...LIMIT, epsilon: 0.01 });
  expect(accounts.sitesOf('r1')).toEqual([]);
  expect(accounts.recount(entrant('r1'), 3, NOW)).toBe(3);
  expect(accounts.recount(entrant('r1'), 2, NOW)).toBe(3);
  expect(accounts.recount(entrant('r1'), MOST + 1, NOW)).toBe(MOST);
  const counting = { site: 'b'.repeat(64), account: 'default', releases: MOST };
  expect(accounts.sitesOf('r1')).toEqual([counting]);
  accounts.close('r1');
  accounts.recount(entrant('r1'), 2, NOW);
  expect(accounts.report('default').federations).toMatchObject([{ releases: MOST, open: false }]);
  expect(() => accounts.recount(entrant('r1', { account: 'other' }), 1, NOW)).toThrow(
    refused('PRIVACY_ACCOUNT_OTHER'),
  );
});
