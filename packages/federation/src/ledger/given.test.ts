import { expect, it } from 'vitest';
import { createIdentity, pseudonymOf } from '../identity/keys.ts';
import type { LedgerEntry, LedgerEvent } from './entry.ts';
import { givenBy } from './given.ts';

const { key } = await createIdentity();
const site = await pseudonymOf(key);

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
const given = (events: readonly LedgerEvent[]) =>
  givenBy(key, { entries: events.map((event) => ({ event }) as LedgerEntry) });

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

it('lists no site that has not accepted', async () => {
  expect(await given([{ ...accepted, key: 'f'.repeat(64) }, opened(0), done(0)])).toBeUndefined();
  expect(await given([accepted])).toEqual({ atLeast: 0, atMost: 0 });
});
