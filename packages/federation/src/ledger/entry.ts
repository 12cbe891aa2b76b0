/**
 * The entries of a ledger. Runs in Node and in the browser.
 *
 * Each entry holds the hash of the one before, and is signed by the coordinator. Sites sign hashes
 * too; their signatures become a part of a later entry, so that none of them can be taken out.
 */
import { z } from 'zod';
import { Digest } from '../plan/terms.ts';
import { digestOf } from '@skein/api/canonical';
import { type Identity } from '../identity/keys.ts';
import { Key, SignatureHex } from '../transport/messages.ts';

/** A site's signature of an earlier entry. */
export const Witness = z.strictObject({
  key: Key,
  sequence: z.int().min(0),
  hash: Digest,
  signature: SignatureHex,
});
export type Witness = z.output<typeof Witness>;

const Roster = z.array(z.string()).max(10_000);
/** ε against a number of colluding sites; null: no bound. */
const Spent = z.array(
  z.strictObject({ colluding: z.int().min(0), epsilon: z.number().min(0).nullable() }),
);
const at = { round: z.int().min(0), attempt: z.int().min(0) };

const charge = { clip: z.number(), noise: z.number(), delta: z.number() };

const event = <K extends string, S extends z.core.$ZodShape>(kind: K, fields: S) =>
  z.strictObject({ kind: z.literal(kind), ...fields });

/** The events of a ledger. Participants are pseudonyms. */
export const LedgerEvent = z.discriminatedUnion('kind', [
  event('started', { plan: Digest, model: Digest, terms: z.record(z.string(), z.json()) }),
  event('accepted', {
    site: z.string(),
    key: Key,
    role: z.string(),
    plan: Digest,
    signature: SignatureHex,
  }),
  event('revoked', { site: z.string() }),
  event('opened', { ...at, roster: Roster }),
  /** Written before the phase in which the sum can become known: what is spent from here on. */
  event('charged', { ...at, releases: z.int().min(1), ...charge, spent: Spent }),
  /** A site has given more than the coordinator, restored from an older copy, had counted: the larger number counts. */
  event('recounted', { site: z.string(), releases: z.int().min(1) }),
  /** Sites that gave false shares of their secrets: `by` is the site that found them; absent: the coordinator. */
  event('accused', { ...at, phase: z.string(), by: z.string().optional(), sites: Roster }),
  /** A helper could not open the seeds of these sites: the sum is made without them. */
  event('left-out', { ...at, helper: z.string(), sites: Roster }),
  /** The sites whose masks a helper has summed, as it signed: their number, and sha-256 of the list of heads. */
  event('summed', { ...at, helper: z.string(), sites: z.int().min(0), list: Digest }),
  event('finished-round', {
    ...at,
    survivors: Roster,
    /** FedBuff: how many of the updates are 0, 1, … rounds behind, by the sites' own count. */
    behind: z.array(z.int().min(0)).max(1001).optional(),
    before: Digest,
    after: Digest,
  }),
  event('aborted', { ...at, phase: z.string(), code: z.string(), reason: z.string() }),
  event('paused', { reason: z.string() }),
  event('resumed', { reason: z.string() }),
  event('ended', { status: z.string(), reason: z.string(), model: Digest.optional() }),
]);
export type LedgerEvent = z.output<typeof LedgerEvent>;

export const LedgerEntry = z.strictObject({
  run: z.string(),
  /** From 0. */
  sequence: z.int().min(0),
  /** ISO 8601 in UTC, by the clock of the coordinator. */
  at: z.iso.datetime(),
  event: LedgerEvent,
  witnesses: z.array(Witness),
  /** Hash of the entry before; 64 zeros in the first. */
  previous: Digest,
  /** sha-256 of the canonical form of all above. */
  hash: Digest,
  /** The coordinator's signature of the hash. */
  signature: SignatureHex,
});
export type LedgerEntry = z.output<typeof LedgerEntry>;

export const FIRST_PREVIOUS = '0'.repeat(64);

/** @param before the last entry of the ledger so far. */
export async function nextEntry(
  coordinator: Identity,
  before: LedgerEntry | undefined,
  given: Pick<LedgerEntry, 'run' | 'at' | 'event' | 'witnesses'>,
): Promise<LedgerEntry> {
  const content = {
    ...given,
    sequence: before === undefined ? 0 : before.sequence + 1,
    previous: before?.hash ?? FIRST_PREVIOUS,
  };
  const hash = await digestOf(content);
  return { ...content, hash, signature: await coordinator.sign('entry', hash) };
}
