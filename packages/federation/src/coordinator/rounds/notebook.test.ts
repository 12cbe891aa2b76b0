import { expect, it } from 'vitest';
import { createIdentity } from '../../identity/keys.ts';
import { nextEntry, type Witness } from '../../ledger/entry.ts';
import { openFederationStore } from '../../store/open-store.ts';
import type { FederationStore } from '../../store/federation-store.ts';
import { openPlan } from '../../testing/plans.ts';
import { openNotebook } from './notebook.ts';

const site = await createIdentity();
const event = { kind: 'paused', reason: '' } as const;

/** A run with `count` entries. */
async function notebookOf(count: number) {
  const coordinator = await createIdentity();
  const opened = await openFederationStore(':memory:');
  const gate: { open?: Promise<void> } = {};
  const store: FederationStore = {
    ...opened,
    async advance(...step) {
      await gate.open;
      return opened.advance(...step);
    },
  };
  const given = { run: 'r', at: '2026-01-01T00:00:00.000Z', event, witnesses: [] };
  const state = {
    status: 'running',
    round: 0,
    attempt: 0,
    phase: 'gather',
    optimiser: 'o',
    releases: 0,
  } as const;
  const run = { id: 'r', plan: openPlan(), planDigest: 'd', state: { ...state, roster: [] } };
  await store.createRun(run, await nextEntry(coordinator, undefined, given));
  const notebook = await openNotebook(store, coordinator, Date.now, 'r');
  for (let more = 1; more < count; more += 1) await notebook.advance({}, [event]);
  const witnessOf = async (sequence: number, more: Partial<Witness> = {}): Promise<Witness> => {
    const [entry] = await store.ledger('r', sequence, 1);
    const { hash } = { ...entry!, ...more };
    const signature = await site.sign('witness', hash);
    return { key: site.key, sequence, hash, signature, ...more };
  };
  return { notebook, witnessOf, gate };
}

it('keeps no signature of a site that would spoil the ledger', async () => {
  const { notebook, witnessOf } = await notebookOf(1);
  const other = await witnessOf(0, { hash: 'f'.repeat(64) });
  await expect(notebook.witness(other)).rejects.toMatchObject({ code: 'LEDGER_INVALID' });
  const { key } = await createIdentity();
  const forged = await witnessOf(0, { key });
  await expect(notebook.witness(forged)).rejects.toMatchObject({ code: 'IDENTITY_UNPROVEN' });
  const [entry] = await notebook.advance({}, [event]);
  expect(entry!.witnesses).toEqual([]);
});

it('puts the newest signature of a site into one entry', async () => {
  const { notebook, witnessOf, gate } = await notebookOf(3);
  const [first, second, third] = [await witnessOf(0), await witnessOf(1), await witnessOf(2)];
  await notebook.witness(second);
  await notebook.witness(first);
  // One that comes while an entry is stored is for the next.
  const { promise, resolve } = Promise.withResolvers<void>();
  gate.open = promise;
  const storing = notebook.advance({}, [event, event]);
  await notebook.witness(third);
  resolve();
  expect((await storing).map(({ witnesses }) => witnesses)).toEqual([[second], []]);
  for (const witnesses of [[third], []]) {
    expect((await notebook.advance({}, [event]))[0]!.witnesses).toEqual(witnesses);
  }
});
