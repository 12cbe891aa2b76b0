/** Sites that give false shares of their secrets, and the dealer that the ledger names. */
import { expect, it, vi } from 'vitest';
import { identityOf, pseudonymOf, signerOf } from '../../identity/keys.ts';
import { followAttempts } from '../../ledger/attempts.ts';
import { ledgerText, verifyLedger } from '../../ledger/verify.ts';
import { openSqliteMemory } from '../../site/memory/sqlite-memory.ts';
import type { Work } from '../../site/answers.ts';
import { openPlan } from '../../testing/plans.ts';
import { accusations } from '../rounds/attempt.ts';
import { of } from '../testing/committee-trial.ts';
import { type Bytes, startFederation, type TestFederation } from '../testing/federation.ts';
import { startHospital } from '../testing/hospital.ts';

/** Bytes of the signed form of a message before and after its body. */
const [HEAD, SIGNATURE] = [36, 64];

/** A site that changes the body of what it sends in a phase, and signs it. @param change of the body, by its own number. */
async function liar(phase: string, change: (body: Bytes, number: number) => void) {
  const memory = openSqliteMemory(':memory:');
  const signer = signerOf(await identityOf(await memory.identity()));
  const lies =
    (work: Work): Work =>
    async (task) => {
      const outcome = await work(task);
      if (task.place.phase !== phase) return outcome;
      const message = outcome.payload!.slice();
      const [number] = new Uint16Array(message.slice(2, 4).buffer);
      change(message.subarray(HEAD, message.length - SIGNATURE), number!);
      const signed = message.slice(0, -SIGNATURE);
      message.set(await signer.sign(signed), signed.length);
      return { ...outcome, payload: message };
    };
  return { more: { memory }, change: lies };
}

const flipLast = (bytes: Bytes): void => void (bytes[bytes.length - 1]! ^= 1);

/** The sealed shares for each other site. */
function flipShares(body: Bytes): void {
  const count = new DataView(body.buffer, body.byteOffset + 48).getUint32(0, true);
  const size = (body.length - 52) / count;
  for (let at = 0; at < count; at += 1)
    flipLast(body.subarray(52 + at * size, 52 + (at + 1) * size));
}

/** Four sites; one lies. Three are enough. */
async function started(
  site: Awaited<ReturnType<typeof liar>>,
  other?: () => ReturnType<typeof liar>,
) {
  const at = await startFederation({
    aggregation: { kind: 'pairwise' },
    sites: { minimum: 3, maximum: 4, threshold: 3 },
    deadlines: { phaseMs: 20_000, trainMs: 20_000 },
    rounds: 1,
  });
  const { id } = await at.coordinator.start(at.draft);
  await at.coordinator.pause(id, 'until all are here');
  const others: string[] = [];
  for (const number of [1, 2, 3]) {
    const { key } = await startHospital(at, { run: id, number, ...(await other?.()) });
    others.push(await pseudonymOf(key));
  }
  const { key } = await startHospital(at, { run: id, number: 4, ...site });
  await vi.waitFor(async () => {
    const { members } = await at.coordinator.view(id);
    expect(members.filter(({ connected }) => connected)).toHaveLength(4);
  });
  await at.coordinator.resume(id, 'all are here');
  return { at, id, key, name: await pseudonymOf(key), others: others.toSorted() };
}

async function finished(at: TestFederation, id: string) {
  await vi.waitFor(async () => expect((await at.coordinator.view(id)).status).toBe('finished'), {
    timeout: 20_000,
    interval: 20,
  });
  const ledger = await at.coordinator.ledger(id);
  await verifyLedger(ledgerText(ledger));
  expect(at.faults).toEqual([]);
  return ledger;
}

it('are named by each site that they dealt false shares, so that the operator can revoke them', async () => {
  const { at, id, key, name, others } = await started(await liar('shares', flipShares));
  const accused = async () => of(await at.coordinator.ledger(id), 'accused');
  await vi.waitFor(async () => expect((await accused()).length).toBeGreaterThanOrEqual(3), 10_000);
  const first = (await accused()).filter(({ attempt }) => attempt === 0);
  expect(new Set(first.map(({ by }) => by))).toEqual(new Set(others));
  for (const each of first) expect(each).toMatchObject({ phase: 'input', sites: [name] });

  await at.coordinator.revoke(id, key);
  const ledger = await finished(at, id);
  expect(of(ledger, 'finished-round')[0]!.survivors.toSorted()).toEqual(others);
});

it('are named where the shares that they dealt belong to another secret, and left out of the next attempt', async () => {
  const { at, id, name, others } = await started(
    await liar('shares', (body) => flipLast(body.subarray(0, 32))),
  );
  const ledger = await finished(at, id);
  expect(of(ledger, 'accused')).toEqual([
    { kind: 'accused', round: 0, attempt: 0, phase: 'unmasking', sites: [name] },
  ]);
  expect(of(ledger, 'aborted')).toMatchObject([{ attempt: 0, code: 'AGGREGATION_SHARE_BAD' }]);
  expect(of(ledger, 'finished-round')[0]!.survivors.toSorted()).toEqual(others);
});

it('are named where a sum is made in spite of a false share that they reveal', async () => {
  // The shares of site 0 are read first; three of four are enough.
  const lie = () => liar('unmasking', (body, number) => number === 0 && flipLast(body));
  const { at, id } = await started(await lie(), lie);
  const ledger = await finished(at, id);
  const sites = [of(ledger, 'opened')[0]!.roster[0]!];
  expect(of(ledger, 'accused')).toEqual([
    { kind: 'accused', round: 0, attempt: 0, phase: 'unmasking', sites },
  ]);
  expect(of(ledger, 'finished-round')[0]!.survivors).toHaveLength(4);
});

it('are not named by a site outside the attempt, and no others are named by one inside', async () => {
  const state = { roster: ['a', 'b'], round: 1, attempt: 2, phase: 'input' } as never;
  expect(await accusations({ state }, ['a'], 'stranger')).toEqual([]);
  expect(await accusations({ state }, ['a', 'stranger'], 'a')).toEqual([]);
  expect(await accusations({ state }, ['b', 'stranger'], 'a')).toMatchObject([
    { round: 1, attempt: 2, phase: 'input', by: expect.any(String), sites: [expect.any(String)] },
  ]);
});

it('belong to the attempt that is open, or the ledger is refused', () => {
  const follow = followAttempts(openPlan({ sites: { minimum: 2, maximum: 2 } }));
  const place = { round: 0, attempt: 0 };
  for (const site of ['a', 'b']) {
    follow({ kind: 'accepted', site, key: '', role: 'site', plan: '', signature: '' });
  }
  follow({ kind: 'opened', ...place, roster: ['a', 'b'] });
  const accused = { kind: 'accused' as const, phase: 'input', sites: ['b'] };
  expect(follow({ ...accused, ...place, by: 'a' })).toBeUndefined();
  expect(follow({ ...accused, ...place, by: 'c' })).toContain('another attempt');
  expect(follow({ ...accused, ...place, sites: ['c'] })).toContain('another attempt');
  expect(follow({ ...accused, round: 0, attempt: 1 })).toContain('another attempt');
});
