import { expect, it } from 'vitest';
import { createIdentity, pseudonymOf } from '../identity/keys.ts';
import { completePlan } from '../plan/complete.ts';
import type { Plan } from '../plan/plan.ts';
import { draft } from '../testing/plans.ts';
import type { LedgerEntry, LedgerEvent } from './entry.ts';
import { givenBy } from './given.ts';

const { key } = await createIdentity();
const site = await pseudonymOf(key);
const patient = completePlan(
  draft({ privacy: { mode: 'patient', noise: 20, denominator: 500 }, collusion: { sites: 1 } }),
);

const accepted: LedgerEvent = {
  kind: 'accepted',
  site,
  key,
  role: 'site',
  plan: 'a'.repeat(64),
  signature: '0'.repeat(128),
};
const opened = (round: number, roster = [site, 'other'], attempt = 0): LedgerEvent => ({
  kind: 'opened',
  round,
  attempt,
  roster,
});
const done = (round: number, survivors = [site, 'other'], attempt = 0): LedgerEvent => {
  const digests = { before: 'b'.repeat(64), after: 'c'.repeat(64) };
  return { kind: 'finished-round', round, attempt, survivors, ...digests };
};
const given = (events: readonly LedgerEvent[], plan: Plan = patient) =>
  givenBy(key, { plan, entries: events.map((event) => ({ event }) as LedgerEntry) });

it('has given at least what is in a sum, and at most what was asked for', async () => {
  const events = [
    accepted,
    opened(0),
    opened(0, undefined, 1),
    done(0, undefined, 1),
    opened(1),
    done(1, ['other']),
    opened(2, ['other', 'third']),
    done(2, ['other', 'third']),
  ];
  expect(await given(events)).toEqual({ atLeast: 1, atMost: 3 });
});

it('is not told of a site that has not accepted', async () => {
  expect(await given([{ ...accepted, key: 'f'.repeat(64) }, opened(0), done(0)])).toBeUndefined();
  expect(await given([accepted])).toEqual({ atLeast: 0, atMost: 0 });
});

it('has spent the rounds before, too, where the noise is correlated', async () => {
  const events = [accepted, opened(3), done(3), opened(6)];
  const sampling = { kind: 'bands', rounds: 3 } as const;
  const turns = { ...patient, privacy: { ...patient.privacy, sampling } } as Plan;
  expect(await given(events, turns)).toEqual({ atLeast: 4, atMost: 7 });
});
