/** A coordinator whose clock is ten years off: what it dates wrongly, and what it must not remove. */
import { expect, it, vi } from 'vitest';
import { ledgerText, verifyLedger } from '../../ledger/verify.ts';
import { overFor, watched, type Watched } from '../storage/retention.ts';
import { adds, joinScripted, startFederation } from '../testing/federation.ts';

const DAY_MS = 86_400_000;
const TEN_YEARS_MS = 3653 * DAY_MS;
const patient = { timeout: 45_000, interval: 20 };
const code = (expected: string, message: string): unknown =>
  expect.objectContaining({ code: expected, message: expect.stringContaining(message) });

async function trained(at: Awaited<ReturnType<typeof startFederation>>) {
  const { id } = await at.coordinator.start({ ...at.draft, rounds: 1 });
  for (const name of ['a', 'b']) {
    await joinScripted(at, await at.coordinator.invite(id, { name }), adds(1));
  }
  await vi.waitFor(
    async () => expect((await at.coordinator.view(id)).status).toBe('finished'),
    patient,
  );
  return id;
}

it('removes no ledger when the clock leaps ten years, and keeps it half a year of days that it has seen', async () => {
  const at = await startFederation();
  const id = await trained(at);
  expect(await at.coordinator.removeEnded()).toBe(0);
  for (const leap of [TEN_YEARS_MS, -TEN_YEARS_MS]) {
    at.now += leap;
    await at.restart();
    expect(await at.coordinator.removeEnded()).toBe(0);
    expect((await at.coordinator.view(id)).id).toBe(id);
  }
  // The leap counted 31 days.
  for (let days = 31; days < 182; days += 1) {
    at.now += DAY_MS;
    expect(await at.coordinator.removeEnded()).toBe(0);
  }
  at.now += DAY_MS;
  expect(await at.coordinator.removeEnded()).toBe(1);
});

it('believes no clock that is behind when the process begins', () => {
  const over = ['f-1'];
  const now = Date.UTC(2026, 0, 1);
  let seen: Watched | undefined = watched(undefined, { now, over, isFirst: true });
  // A machine without a battery boots in 1970, again and again, until its clock is set.
  for (let boot = 0; boot < 10; boot += 1) {
    seen = watched(seen, { now: 0, over, isFirst: true });
    seen = watched(seen, { now: now + (boot + 1) * 60_000, over, isFirst: false });
  }
  expect(overFor(seen, 'f-1')).toBe(10 * 60_000);
});

it('refuses an invitation that has expired by its clock, with the reason; enrolled sites continue', async () => {
  const at = await startFederation({ rounds: 2 });
  const { id } = await at.coordinator.start(at.draft);
  const held = Promise.withResolvers<void>();
  const invitations = await Promise.all(
    ['a', 'b', 'late'].map((name) => at.coordinator.invite(id, { name })),
  );
  for (const invitation of invitations.slice(0, 2)) {
    await joinScripted(at, invitation, async (task) => {
      if (task.place.round === 1) await held.promise;
      return adds(1)(task);
    });
  }
  await vi.waitFor(async () => expect((await at.coordinator.view(id)).round).toBe(1), patient);
  at.now += TEN_YEARS_MS;
  const late = joinScripted(at, invitations[2]!, adds(1));
  await expect(late).rejects.toEqual(code('INVITATION_INVALID', 'the coordinator reads 2036'));
  await at.coordinator.pause(id, 'the clock is wrong');
  at.now -= TEN_YEARS_MS;
  await at.coordinator.resume(id, 'it is set');
  held.resolve();
  await vi.waitFor(
    async () => expect((await at.coordinator.view(id)).status).toBe('finished'),
    patient,
  );
  const ledger = await at.coordinator.ledger(id);
  const verified = await verifyLedger(ledgerText(ledger));
  const resumed = ledger.entries.find(({ event }) => event.kind === 'resumed')!;
  expect(verified).toMatchObject({ rounds: 2, clockSetBack: [resumed.sequence] });
});
