/**
 * One entry of the audit log, and its place in the chain. Entries hold no value of a patient: inputs and the
 * patient's id are keyed digests, since a plain digest of a small domain is guessed back.
 */
import { createHash, createHmac } from 'node:crypto';
import { canonical } from '@skein/api/canonical';
import { z } from 'zod';

const Hash = z.string().regex(/^[0-9a-f]{64}$/);
const Word = z.string().max(300);

const facts = {
  /** Issuer of the caller's token; absent for a refused token, whose issuer proves nothing. */
  caller: Word.optional(),
  /** The user who opened the chart, such as `Practitioner/7`. */
  user: Word.optional(),
  /** Keyed digest of the patient's id. */
  patient: Hash.optional(),
  request: Word.optional(),
};

export const AuditFacts = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('inference'),
    ...facts,
    /** UUID of the card, or of an answer without one. */
    card: Word,
    site: Word,
    version: Hash,
    /** Keyed digest of the answers and intervals that the model was given. */
    inputs: Hash.optional(),
    set: z.array(z.enum(['ill', 'well'])).optional(),
    probability: z.number().optional(),
    /** Why there is no answer: the abstention, and the questions without an input. */
    abstained: Word.optional(),
  }),
  z.strictObject({
    kind: z.literal('feedback'),
    ...facts,
    card: Word,
    outcome: z.enum(['accepted', 'overridden']),
    reason: Word.optional(),
    at: Word,
  }),
  /** A call that got no answer. */
  z.strictObject({
    kind: z.literal('refusal'),
    ...facts,
    why: Word,
    /** Refusals before it that were not entered one by one. */
    uncounted: z.int().min(0),
  }),
]);
export type AuditFacts = z.output<typeof AuditFacts>;

export const AuditEntry = z.strictObject({
  /** From 1, without gaps. */
  n: z.int().min(1),
  recorded: z.iso.datetime(),
  facts: AuditFacts,
  /** Hash of entry n − 1; of the first one `FIRST`. */
  previous: Hash,
  hash: Hash,
});
export type AuditEntry = z.output<typeof AuditEntry>;

/** The previous hash of the first entry. */
export const FIRST = '0'.repeat(64);

export function entryOf(
  n: number,
  recorded: string,
  facts: AuditFacts,
  previous: string,
): AuditEntry {
  const unsigned = { n, recorded, facts, previous };
  return { ...unsigned, hash: hashOf(unsigned) };
}

export function hashOf({ n, recorded, facts, previous }: Omit<AuditEntry, 'hash'>): string {
  return createHash('sha256').update(canonical({ n, recorded, facts, previous })).digest('hex');
}

/** Digest of a value that only the holder of the key can compute. */
export function keyedDigest(key: Uint8Array, value: unknown): string {
  return createHmac('sha256', key).update(canonical(value)).digest('hex');
}
