/**
 * The facts from which each number of a card can be derived again: the answers that the model was given, the
 * version by digest, the results, and the place of its audit entry.
 */
import { z } from 'zod';
import { QUESTIONS, type Question } from '../method/questions.ts';
import type { Answer } from '../method/assess.ts';
import type { AuditEntry } from '../audit/audit-entry.ts';

const Digest = z.string().regex(/^[0-9a-f]{64}$/);
const byQuestion = z.strictObject(
  Object.fromEntries(QUESTIONS.map((each) => [each, z.number()])) as Record<Question, z.ZodNumber>,
);

export const Derivation = z.strictObject({
  card: z.uuid(),
  answer: z.strictObject({
    version: Digest,
    site: z.string().max(100),
    answers: byQuestion,
    uncertain: z
      .array(z.strictObject({ question: z.enum(QUESTIONS), low: z.number(), high: z.number() }))
      .max(QUESTIONS.length),
    logit: z.number(),
    probability: z.number(),
    set: z.array(z.enum(['ill', 'well'])).max(2),
    calibratedOn: z.int(),
    reasons: byQuestion,
    baselineProbability: z.number(),
  }),
  audit: z.strictObject({ entry: z.int().min(1), hash: Digest }),
});
export type Derivation = z.output<typeof Derivation>;

export function derivationOf(card: string, answer: Answer, { n, hash }: AuditEntry) {
  return { card, answer, audit: { entry: n, hash } };
}

/** The inputs under the keyed digest of an audit entry. */
export function digestedInputs({ answers, uncertain }: Pick<Answer, 'answers' | 'uncertain'>) {
  return { answers, uncertain };
}
