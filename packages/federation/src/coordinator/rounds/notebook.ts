/** The stored state of a run and the end of its ledger, which change together. */
import { SkeinError } from '@skein/api/errors';
import { type Identity, isSignedBy } from '../../identity/keys.ts';
import { type LedgerEntry, type LedgerEvent, nextEntry, type Witness } from '../../ledger/entry.ts';
import type { FederationStore, RunRecord, RunState } from '../../store/federation-store.ts';

export class Notebook {
  readonly #store: FederationStore;
  readonly #identity: Identity;
  readonly #clock: () => number;
  #record: RunRecord;
  #tail: LedgerEntry;
  /** Signatures of sites that no entry holds yet, the newest of each. */
  readonly #witnesses = new Map<string, Witness>();

  private constructor(
    store: FederationStore,
    identity: Identity,
    clock: () => number,
    record: RunRecord,
    tail: LedgerEntry,
  ) {
    this.#store = store;
    this.#identity = identity;
    this.#clock = clock;
    this.#record = record;
    this.#tail = tail;
  }

  /** @throws SkeinError FEDERATION_UNKNOWN. */
  static async open(
    store: FederationStore,
    identity: Identity,
    clock: () => number,
    run: string,
  ): Promise<Notebook> {
    const { record, tail } = await read(store, run);
    return new Notebook(store, identity, clock, record, tail);
  }

  get record(): RunRecord {
    return this.#record;
  }
  get tail(): LedgerEntry {
    return this.#tail;
  }

  /** Reads what another process has written. */
  async reload(): Promise<void> {
    const { record, tail } = await read(this.#store, this.#record.id);
    this.#record = record;
    this.#tail = tail;
  }

  /**
   * Stores the change and an entry for each event, all or nothing.
   * @throws SkeinError FEDERATION_MOVED.
   */
  async advance(
    change: Partial<RunState>,
    events: readonly LedgerEvent[],
  ): Promise<readonly LedgerEntry[]> {
    const { id, revision, state } = this.#record;
    const at = new Date(this.#clock()).toISOString();
    const witnesses = [...this.#witnesses.values()];
    const entries: LedgerEntry[] = [];
    for (const event of events) {
      const signed = entries.length === 0 ? witnesses : [];
      const before = entries.at(-1) ?? this.#tail;
      entries.push(
        await nextEntry(this.#identity, before, { run: id, at, event, witnesses: signed }),
      );
    }
    this.#record = await this.#store.advance(id, revision, { ...state, ...change }, entries);
    this.#tail = entries.at(-1) ?? this.#tail;
    if (entries.length > 0) {
      for (const each of witnesses) {
        if (this.#witnesses.get(each.key) === each) this.#witnesses.delete(each.key);
      }
    }
    return entries;
  }

  /** Keeps the signature of a site for the next entry. @throws SkeinError IDENTITY_UNPROVEN, LEDGER_INVALID. */
  async witness(witness: Witness): Promise<void> {
    const { key, sequence, hash, signature } = witness;
    const [entry] = await this.#store.ledger(this.#record.id, sequence, 1);
    if (entry?.hash !== hash) {
      throw new SkeinError('LEDGER_INVALID', `The site has another entry ${sequence}.`);
    }
    if (!(await isSignedBy(key, 'witness', hash, signature))) {
      throw new SkeinError('IDENTITY_UNPROVEN', 'The signature of an entry is not of this site.');
    }
    const known = this.#witnesses.get(key);
    if (known === undefined || known.sequence < sequence) this.#witnesses.set(key, witness);
  }
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
    // Both are of one moment if nothing was written between them.
    if ((await store.run(run))?.revision === record.revision) return { record, tail };
  }
}
