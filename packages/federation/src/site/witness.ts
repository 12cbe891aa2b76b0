/**
 * A site as a witness of the ledger: it signs an entry only when the entry does not contradict those that
 * it has seen in this process. It does not ask for entries that it has missed, so its signatures do not
 * prove that there is one ledger; an auditor compares the exported ledger with the signatures in it, and a
 * site with the newest entry that it has seen.
 */
import { SkeinError } from '@skein/api/errors';
import { type Identity, isSignedBy } from '../identity/keys.ts';
import { LedgerEntry } from '../ledger/entry.ts';
import type { SeenEntry } from '../ledger/seen.ts';
import { digestOf } from '@skein/api/canonical';
import type { MessageOf } from '../transport/messages.ts';

export interface LedgerWitness {
  /** The newest entry that it has signed. */
  readonly newest: SeenEntry | undefined;
  /** @throws SkeinError LEDGER_INVALID for an entry that does not continue the ledger. */
  sign(entry: unknown): Promise<MessageOf<'witness'>>;
}

export function witnessLedger(run: string, coordinator: string, identity: Identity): LedgerWitness {
  /** Hashes of the entries seen, by sequence. */
  const seen = new Map<number, string>();
  let newest: SeenEntry | undefined;
  return {
    get newest() {
      return newest;
    },
    async sign(given) {
      const parsed = LedgerEntry.safeParse(given);
      if (!parsed.success) throw invalid('An entry of the ledger cannot be read.');
      const { hash, signature, ...content } = parsed.data;
      const { sequence, previous } = content;
      const before = seen.get(sequence - 1);
      const known = seen.get(sequence);
      const continues =
        content.run === run &&
        (before === undefined || before === previous) &&
        (known === undefined || known === hash) &&
        (await digestOf(content)) === hash &&
        (await isSignedBy(coordinator, 'entry', hash, signature));
      if (!continues) throw invalid(`Entry ${sequence} does not continue the ledger of ${run}.`);
      seen.set(sequence, hash);
      if (newest === undefined || sequence > newest.sequence) newest = { sequence, hash };
      return { kind: 'witness', sequence, hash, signature: await identity.sign('witness', hash) };
    },
  };
}

const invalid = (message: string): SkeinError => new SkeinError('LEDGER_INVALID', message);
