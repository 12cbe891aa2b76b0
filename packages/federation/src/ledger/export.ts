/** A ledger as a file: what `skein ledger verify` reads. Runs in Node and in the browser. */
import { z } from 'zod';
import { Digest, Plan } from '../plan/plan.ts';
import { Key, SignatureHex } from '../transport/messages.ts';
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
