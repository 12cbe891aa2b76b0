/** A ledger as a file: what `skein ledger verify` reads. Runs in Node and in the browser. */
import { z } from 'zod';
import { Plan } from '../plan/plan.ts';
import { Digest } from '../plan/terms.ts';
import { Key, SignatureHex } from '../transport/messages.ts';
import type { Identity } from '../identity/keys.ts';
import type { FederationStore, RunRecord } from '../store/federation-store.ts';
import { LedgerEntry } from './entry.ts';

export const LedgerExport = z.strictObject({
  format: z.literal('skein-ledger/1'),
  /** Public key of the coordinator. */
  coordinator: Key,
  plan: Plan,
  entries: z.array(LedgerEntry).min(1),
  /** Signed by the coordinator over the number of entries and the last hash, so that none can be cut off. */
  head: z.strictObject({ entries: z.int().min(1), hash: Digest, signature: SignatureHex }),
});
export type LedgerExport = z.output<typeof LedgerExport>;

/** Entries that are read at once. */
const BATCH = 500;

/** The whole ledger of a run. */
export async function exportLedger(
  store: Pick<FederationStore, 'ledger'>,
  coordinator: Identity,
  { id, plan }: Pick<RunRecord, 'id' | 'plan'>,
): Promise<LedgerExport> {
  const entries: LedgerEntry[] = [];
  for (;;) {
    const batch = await store.ledger(id, entries.length, BATCH);
    entries.push(...batch);
    if (batch.length < BATCH) break;
  }
  const { hash } = entries.at(-1)!;
  const head = { entries: entries.length, hash };
  const signature = await coordinator.sign('head', head);
  return {
    format: 'skein-ledger/1',
    coordinator: coordinator.key,
    plan,
    entries,
    head: { ...head, signature },
  };
}
