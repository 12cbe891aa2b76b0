import { epsilonOf } from '@skein/train';
import { describe, expect, it } from 'vitest';
import { completePlan, mechanismOf } from '../../plan/complete.ts';
import type { Plan } from '../../plan/plan.ts';
import { mostReleases, spentAfter } from '../../plan/spent.ts';
import { draft } from '../../testing/plans.ts';
import { excessOf, type Participation, refusalOf, reportOf } from './account.ts';

const DELTA = 1e-3;
type Private = Exclude<Plan['privacy'], { mode: 'none' }>;
const terms = {
  mode: 'patient',
  clip: 1,
  noise: 20,
  epsilon: 0.66,
  delta: DELTA,
  sampling: { kind: 'all' },
  denominator: 500,
} as const satisfies Private;

const part = (
  privacy: Plan['privacy'],
  releases: number,
  more: Partial<Participation> = {},
): Participation => ({
  run: 'run-1',
  name: 'heart',
  planDigest: 'a'.repeat(64),
  privacy,
  releases,
  most: 30,
  open: false,
  since: '2026-11-28T00:00:00.000Z',
  ...more,
});

const of = (...all: readonly Participation[]) => reportOf('default', all, undefined);
const alone = (privacy: Private, releases: number) =>
  epsilonOf([mechanismOf(privacy, releases)], DELTA).epsilon;

describe('what federations spend together', () => {
  it('composes them as one training of as many releases, which is less than their sum', () => {
    const { row } = of(part(terms, 30), part(terms, 30));
    expect(row.spent).toBeCloseTo(alone(terms, 60), 9);
    expect(row.spent).toBeLessThan(0.85 * 2 * alone(terms, 30));
    expect(row.spent).toBeGreaterThan(alone(terms, 30));
  });

  it('counts what open ones may still spend', () => {
    const { row } = of(part(terms, 10), part(terms, 5, { open: true }));
    expect(row.spent).toBeCloseTo(alone(terms, 15), 9);
    expect(row.committed).toBeCloseTo(alone(terms, 40), 9);
  });

  it('takes the smallest δ of the plans, or the δ of the limit', () => {
    const small = { ...terms, delta: 1e-6 } as const;
    expect(of(part(terms, 1), part(small, 1)).delta).toBe(1e-6);
    const limit = { unit: 'row', epsilon: 1, delta: 1e-4 } as const;
    const limited = reportOf('default', [part(small, 9)], limit);
    expect(limited.row.spent).toBeCloseTo(epsilonOf([mechanismOf(small, 9)], 1e-4).epsilon, 9);
  });

  it('counts a row of a plan that hides sites as a replaced update, and the site as the plan does', () => {
    const client = { ...terms, mode: 'client' } as const;
    const { row, site } = of(part(client, 30));
    expect(site.spent).toBeCloseTo(alone(client, 30), 9);
    const twice = { ...client, noise: client.noise / 2 };
    expect(row.spent).toBeCloseTo(alone(twice, 30), 9);
  });

  it('keeps what a coin of each site saves for its rows, too', () => {
    const noise = 2;
    const sampled = {
      ...terms,
      mode: 'client',
      noise,
      sampling: { kind: 'poisson', rate: 0.01 },
    } as const;
    const { row, site } = of(part(sampled, 100));
    expect(site.spent).toBeCloseTo(alone(sampled, 100), 9);
    expect(row.spent).toBeGreaterThan(site.spent!);
    const unsampled = { ...terms, mode: 'client', noise } as const;
    expect(row.spent).toBeLessThan(of(part(unsampled, 100)).row.spent! / 5);
  });

  it('has no bound where a plan hides less than what is counted, unless nothing was released', () => {
    const client = { ...terms, mode: 'client' } as const;
    const mixed = of(part(client, 3), part(terms, 3));
    expect([mixed.row.spent === null, mixed.site.spent]).toEqual([false, null]);
    const open = { mode: 'none' } as const;
    expect(of(part(terms, 3), part(open, 1)).row).toEqual({ spent: null, committed: null });
    expect(of(part(open, 0)).row).toEqual({ spent: 0, committed: 0 });
    expect(of(part(open, 0, { open: true })).row).toEqual({ spent: 0, committed: null });
    const { federations } = of(part(open, 1), part(client, 1), part(terms, 1));
    expect(federations.map(({ hides }) => hides)).toEqual(['nothing', 'site', 'row']);
    expect(federations[0]!.epsilon).toBeNull();
    expect(federations[2]!.epsilon).toBeCloseTo(alone(terms, 1), 9);
  });
});

describe('a limit', () => {
  const limit = { unit: 'row', epsilon: 1, delta: DELTA } as const;
  it('allows one plan of just its ε, and refuses what two could spend while one is open', () => {
    const exact = { ...limit, epsilon: alone(terms, 30) };
    expect(refusalOf([part(terms, 0, { open: true })], exact)).toBeUndefined();
    const two = [part(terms, 30), part(terms, 0, { open: true })];
    expect(refusalOf(two, exact)).toMatch(/^over all federations ε could reach 1\.\d+ for any/);
    expect(excessOf(two, exact, 'spent')).toBeUndefined();
    // Releases that the first one did not use are left for the second.
    expect(refusalOf([part(terms, 0), part(terms, 0, { open: true })], exact)).toBeUndefined();
  });

  it('refuses what has no bound, for the unit that it is of', () => {
    const open = part({ mode: 'none' }, 0, { open: true });
    expect(refusalOf([open], limit)).toMatch(
      /nothing would bound the loss of privacy for any one row/,
    );
    expect(refusalOf([open], undefined)).toBeUndefined();
    const ofSite = { ...limit, unit: 'site', epsilon: 1e6 } as const;
    expect(refusalOf([part(terms, 1)], ofSite)).toMatch(/for all rows of this site/);
    expect(refusalOf([part({ ...terms, mode: 'client' }, 1)], ofSite)).toBeUndefined();
  });
});

it('reserves the most releases with which a plan keeps its budget', () => {
  const plan = completePlan(draft({ privacy: { ...terms, epsilon: 0.4 }, rounds: 50 }));
  const most = mostReleases(plan);
  const after = (releases: number) =>
    Math.max(...spentAfter(plan, releases).map(({ epsilon }) => epsilon));
  expect(after(most)).toBeLessThanOrEqual(0.4);
  expect(after(most + 1)).toBeGreaterThan(0.4);
  const loud = completePlan(draft({ privacy: { ...terms, noise: 1e6 }, rounds: 2 }));
  expect(mostReleases(loud)).toBe(2000);
  const none = completePlan(draft({ privacy: { ...terms, noise: 0.5, epsilon: 0.1 } }));
  expect(mostReleases(none)).toBe(0);
});
