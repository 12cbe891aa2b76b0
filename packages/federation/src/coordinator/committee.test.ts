/** Protocol B conducted: real sites and helpers inside one process, over the real messages. */
import { expect, it, vi } from 'vitest';
import { ledgerText, verifyLedger } from '../ledger/verify.ts';
import type { LedgerEvent } from '../ledger/entry.ts';
import { startCommittee, type TestCommittee } from './testing/committee.ts';

const patient = { timeout: 45_000, interval: 20 };

async function finished({ at, id }: TestCommittee) {
  await vi.waitFor(
    async () => expect((await at.coordinator.view(id)).status).toBe('finished'),
    patient,
  );
  return at.coordinator.ledger(id);
}
const of = <K extends LedgerEvent['kind']>(
  { entries }: Awaited<ReturnType<typeof finished>>,
  kind: K,
) =>
  entries.flatMap(({ event }) =>
    event.kind === kind ? [event as Extract<LedgerEvent, { kind: K }>] : [],
  );

it('sums sites that each send one message and leave, round after round', async () => {
  const committee = await startCommittee({ rounds: 2 });
  const { at, id } = committee;
  for (const number of [0, 1, 2]) committee.helper(number);
  const invitation = await at.coordinator.invite(id, { name: 'page', uses: 8 });
  const cohort = (numbers: readonly number[]) =>
    Promise.all(
      numbers.map((number) => committee.site(number, { invitation, once: true, weight: 100 })),
    );
  const first = await cohort([1, 2, 3, 4]);
  expect(await Promise.all(first.map(({ ended }) => ended))).toEqual(
    Array.from({ length: 4 }, () => expect.objectContaining({ status: 'left' })),
  );
  await vi.waitFor(
    async () => expect((await at.coordinator.view(id)).round).toBe(1),
    patient,
  );
  await cohort([1, 1, 1, 2]);
  const ledger = await finished(committee);
  expect(of(ledger, 'finished-round').map(({ survivors }) => survivors.length)).toEqual([4, 4]);
  expect(await verifyLedger(ledgerText(ledger))).toMatchObject({ rounds: 2, aborted: 0 });
  expect(at.faults).toEqual([]);
});
