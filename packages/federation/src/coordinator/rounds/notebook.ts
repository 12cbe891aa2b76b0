/** The stored state of a run and the end of its ledger, which change together. */
import { SkeinError } from '@skein/api/errors';
import { type Identity, isSignedBy } from '../../identity/keys.ts';
import { type LedgerEntry, type LedgerEvent, nextEntry, type Witness } from '../../ledger/entry.ts';
import type { FederationStore, RunRecord, RunState } from '../../store/federation-store.ts';

export type Notebook = Awaited<ReturnType<typeof openNotebook>>;

/** @throws SkeinError FEDERATION_UNKNOWN. */
export async function openNotebook(
  store: FederationStore,
  identity: Identity,
  clock: () => number,
  run: string,
) {
  let { record, tail } = await read(store, run);
  /** Signatures of sites that no entry holds yet, the newest of each. */
  const signatures = new Map<string, Witness>();
  return {
    get record(): RunRecord {
      return record;
    },
    get tail(): LedgerEntry {
      return tail;
    },

    /** Reads what another process has written. */
    async reload(): Promise<void> {
      ({ record, tail } = await read(store, run));
    },

    /**
     * Stores the change and an entry for each event, all or nothing.
     * @throws SkeinError FEDERATION_MOVED.
     */
    async advance(
      change: Partial<RunState>,
      events: readonly LedgerEvent[],
    ): Promise<readonly LedgerEntry[]> {
      const { id, revision, state } = record;
      const at = new Date(clock()).toISOString();
      const witnesses = [...signatures.values()];
      const entries: LedgerEntry[] = [];
      for (const event of events) {
        const signed = entries.length === 0 ? witnesses : [];
        const before = entries.at(-1) ?? tail;
        entries.push(await nextEntry(identity, before, { run: id, at, event, witnesses: signed }));
      }
      // A spent release stays spent, even if the change was decided before it.
      const releases = Math.max(state.releases, change.releases ?? 0);
      record = await store.advance(id, revision, { ...state, ...change, releases }, entries);
      tail = entries.at(-1) ?? tail;
      if (entries.length > 0) {
        for (const each of witnesses) {
          if (signatures.get(each.key) === each) signatures.delete(each.key);
        }
      }
      return entries;
    },

    /** Keeps the signature of a site for the next entry. @throws SkeinError IDENTITY_UNPROVEN, LEDGER_INVALID. */
    async witness(witness: Witness): Promise<void> {
      const { key, sequence, hash, signature } = witness;
      const [entry] = await store.ledger(record.id, sequence, 1);
      if (entry?.hash !== hash) {
        throw new SkeinError('LEDGER_INVALID', `The site has another entry ${sequence}.`);
      }
      if (!(await isSignedBy(key, 'witness', hash, signature))) {
        throw new SkeinError('IDENTITY_UNPROVEN', 'The signature of an entry is not of this site.');
      }
      const known = signatures.get(key);
      if (known === undefined || known.sequence < sequence) signatures.set(key, witness);
    },
  };
}

async function read(
  store: FederationStore,
  run: string,
): Promise<{ record: RunRecord; tail: LedgerEntry }> {
  for (;;) {
    const record = await store.run(run);
    if (record === undefined) {
      throw new SkeinError('FEDERATION_UNKNOWN', `There is no federation ${run}.`);
    }
    const tail = await store.ledgerTail(run);
    // Both belong to one moment if nothing was written between them.
    if ((await store.run(run))?.revision === record.revision) return { record, tail };
  }
}
