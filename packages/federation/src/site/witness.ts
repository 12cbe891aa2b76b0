/**
 * A site as a witness of the ledger: it signs an entry only when the entry does not contradict those that
 * it has seen in this process, nor the newest one that it has ever seen, which its memory keeps: a coordinator that was
 * restored from an older copy lacks what was spent since. It does not ask for entries that it has missed, so its signatures do not
 * prove that there is one ledger; an auditor compares the exported ledger with the signatures in it, and a
 * site with the newest entry that it has seen.
 */
import { SkeinError } from '@skein/api/errors';
import { type Identity, isSignedBy } from '../identity/keys.ts';
import { LedgerEntry } from '../ledger/entry.ts';
import { type SeenEntry, seenOf, seenText } from '../ledger/seen.ts';
import { digestOf, utf8 } from '@skein/api/canonical';
import type { MessageOf } from '../transport/messages.ts';
import type { SiteMemory } from './memory/site-memory.ts';

export interface LedgerWitness {
  /** The newest entry that it has signed. */
  readonly newest: SeenEntry | undefined;
  /** A connection begins, over which no entry may come that is older than the newest one. */
  begin(): void;
  /** @throws SkeinError LEDGER_INVALID for an entry that does not continue the ledger. */
  sign(entry: unknown): Promise<MessageOf<'witness'>>;
}

export interface WitnessOptions {
  readonly run: string;
  /** Its public key. */
  readonly coordinator: string;
  readonly identity: Identity;
  readonly memory: Pick<SiteMemory, 'carriedOf' | 'carry'>;
}

/** Where the memory of a site keeps the newest entry. */
const keyOf = (run: string): string => `${run} seen`;

/** The newest entry of a ledger that a site has ever signed. */
export async function newestSeen(
  memory: Pick<SiteMemory, 'carriedOf'>,
  run: string,
): Promise<SeenEntry | undefined> {
  const bytes = await memory.carriedOf(keyOf(run));
  return bytes === undefined ? undefined : seenOf(new TextDecoder().decode(bytes));
}

export async function openWitness({
  run,
  coordinator,
  identity,
  memory,
}: WitnessOptions): Promise<LedgerWitness> {
  /** Hashes of the entries seen, by sequence. */
  const seen = new Map<number, string>();
  let newest = await newestSeen(memory, run);
  /** No ledger of this connection ends before it. */
  let least = newest;
  if (newest !== undefined) seen.set(newest.sequence, newest.hash);
  return {
    get newest() {
      return newest;
    },
    begin() {
      least = newest;
    },
    async sign(given) {
      const parsed = LedgerEntry.safeParse(given);
      if (!parsed.success) throw invalid('An entry of the ledger cannot be read.');
      const { hash, signature, ...content } = parsed.data;
      const { sequence, previous } = content;
      const before = seen.get(sequence - 1);
      const known = seen.get(sequence);
      if (least !== undefined && sequence < least.sequence && known === undefined) {
        throw invalid(
          `The ledger ends with entry ${sequence}, but this site has seen entry ${least.sequence}: the coordinator was restored from an older copy.`,
        );
      }
      const continues =
        content.run === run &&
        (before === undefined || before === previous) &&
        (known === undefined || known === hash) &&
        (await digestOf(content)) === hash &&
        (await isSignedBy(coordinator, 'entry', hash, signature));
      if (!continues) throw invalid(`Entry ${sequence} does not continue the ledger of ${run}.`);
      seen.set(sequence, hash);
      if (newest === undefined || sequence > newest.sequence) {
        newest = { sequence, hash };
        await memory.carry(keyOf(run), utf8(seenText(newest)));
      }
      return { kind: 'witness', sequence, hash, signature: await identity.sign('witness', hash) };
    },
  };
}

const invalid = (message: string): SkeinError => new SkeinError('LEDGER_INVALID', message);
