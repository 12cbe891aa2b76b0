/** Which writes are on the disk before they resolve: a power cut must not take back what was promised to another party. */
import type * as databases from '@skein/state/database';
import { beforeEach, expect, it, vi } from 'vitest';
import { openHelperMemory } from './helper/helper-memory.ts';
import { createIdentity } from './identity/keys.ts';
import { nextEntry } from './ledger/entry.ts';
import { completePlan } from './plan/complete.ts';
import { openSiteAccounts } from './site/account/sqlite-account.ts';
import { openSqliteMemory } from './site/memory/sqlite-memory.ts';
import { openFederationStore } from './store/open-store.ts';
import type { RunState } from './store/federation-store.ts';
import { draft, openPlan } from './testing/plans.ts';

/** How each write of the databases was to survive, in their order. */
const written = vi.hoisted(() => [] as string[]);
vi.mock('@skein/state/database', async (original) => {
  const module = await original<typeof databases>();
  return {
    ...module,
    openDatabase: (...args: Parameters<typeof module.openDatabase>) => {
      const database = module.openDatabase(...args);
      const write: typeof database.write = (survives, change) => {
        written.push(survives);
        return database.write(survives, change);
      };
      return { ...database, write };
    },
  };
});

const key = '1'.repeat(64);
const identity = await createIdentity();
beforeEach(() => void (written.length = 0));

/** @returns how what was written meanwhile survives. */
async function during(act: () => unknown): Promise<string[]> {
  written.length = 0;
  await act();
  return [...written];
}

it.each([
  // A site sends the same answer again, unless it has left by then.
  ['pairwise', 'crash'],
  ['committee', 'power-cut'],
])('all steps of a run are, and its answers with %s survive a %s', async (kind, answers) => {
  const store = await openFederationStore(':memory:');
  const plan = { ...openPlan(), aggregation: { kind } } as never;
  const state: RunState = {
    status: 'running',
    round: 0,
    attempt: 0,
    phase: 'input',
    roster: [key],
    optimiser: 'o',
    releases: 0,
  };
  const content = { run: 'r', at: '2026-01-01T00:00:00.000Z', witnesses: [] };
  const event = { kind: 'paused', reason: '' } as const;
  const first = await nextEntry(identity, undefined, { ...content, event });
  const second = await nextEntry(identity, first, { ...content, event });
  const [id, secretHash] = ['a'.repeat(16), 'b'.repeat(64)];
  const invitation = { id, run: 'r', secretHash, name: 'n', uses: 1, expiresAt: 9e15 };
  const place = { round: 0, attempt: 0, phase: 'input' };
  const steps: [() => unknown, string][] = [
    [() => store.createRun({ id: 'r', plan, planDigest: 'd', state }, first), 'power-cut'],
    [() => store.advance('r', 1, state, [second]), 'power-cut'],
    [() => store.addInvitation({ ...invitation, role: 'site' }), 'power-cut'],
    [() => store.enrol('r', key, 'site', { id, secretHash }), 'power-cut'],
    [() => store.accept('r', key, { plan: 'd', signature: 's' }), 'power-cut'],
    [() => store.addAnswer('r', { place, site: key, fields: {}, signature: 's' }), answers],
    [() => store.revoke('r', key), 'power-cut'],
    [() => store.removeRun('r'), 'power-cut'],
  ];
  for (const [act, survives] of steps) expect(await during(act)).toEqual([survives]);
  await store.close();
});

it('the memory of a site and of a helper is', async () => {
  const memory = openSqliteMemory(':memory:');
  const helper = openHelperMemory(':memory:');
  const question = { run: 'r', round: 0, attempt: 0, phase: 'input' };
  for (const act of [
    () => memory.identity(),
    () => memory.accept('r', 'd'),
    () => memory.answerOnce(question, new Uint8Array(1)),
    () => memory.carry('r', new Uint8Array(1)),
    () => memory.eraseBefore({ ...question, round: 1 }),
    () => helper.sealingSecret(),
    () => helper.cohortOf('r', 0, 'd'),
  ]) {
    expect(await during(act), String(act)).toEqual(['power-cut']);
  }
});

it('the account of a site is', async () => {
  const accounts = openSiteAccounts(':memory:');
  const privacy = { mode: 'patient', noise: 20, denominator: 500 } as const;
  const entrant = {
    account: 'default',
    run: 'r',
    site: key,
    plan: completePlan(draft({ privacy })),
    planDigest: 'd',
  };
  const now = new Date();
  for (const act of [
    () => accounts.admit(entrant, now),
    () => accounts.charge(entrant, 1),
    () => accounts.recount(entrant, 2, now),
    () => accounts.limit('default', { unit: 'row', epsilon: 9, delta: 1e-5 }),
    () => accounts.close('r'),
  ]) {
    expect(await during(act), String(act)).toEqual(['power-cut']);
  }
});
