/**
 * The type of a problem: the words of `type` and of the older key `validation`, which DOMjudge
 * reads in packages of every version.
 */
import { z } from 'zod';
import { invalid } from '../invalid.ts';
import type { ProblemType } from '../problem.ts';

const INCOMPATIBLE: readonly (readonly [string, string])[] = [
  ['pass-fail', 'scoring'],
  ['multi-pass', 'submit-answer'],
  ['interactive', 'submit-answer'],
];

const wordsOf = (text: string): string[] => text.split(/\s+/).filter(Boolean);

/** The format asks for a sequence; its examples, and DOMjudge, have one string with several words. */
export const typeField = <const Types extends readonly string[]>(types: Types) =>
  z
    .union([z.string().transform(wordsOf), z.array(z.string())])
    .pipe(z.array(z.enum(types)).nonempty())
    .default(['pass-fail']);

/** Words after `custom`; the first year of the draft had a map of them. */
export const validationField = z.union([
  z.string().transform(wordsOf),
  z
    .record(z.string(), z.boolean())
    .transform((map) => ['custom', ...Object.keys(map).filter((word) => map[word] === true)]),
]);

/** @throws SkeinError PROBLEM_INVALID. */
export function problemType(types: readonly string[], validation: readonly string[]): ProblemType {
  const file = 'problem.yaml';
  const given = new Set(types);
  if (given.size !== types.length) throw invalid(file, 'type: a value comes twice');
  for (const [one, other] of INCOMPATIBLE) {
    if (given.has(one) && given.has(other)) {
      throw invalid(file, `type: ${one} and ${other} exclude each other`);
    }
  }
  const [mode = 'default', ...options] = validation;
  const shown = validation.join(' ');
  if (mode !== 'default' && mode !== 'custom') {
    throw invalid(file, `validation: must begin with default or custom, not "${shown}"`);
  }
  const strange = options.find((word) => !['score', 'interactive', 'multi-pass'].includes(word));
  if (strange !== undefined || (mode === 'default' && options.length > 0)) {
    throw invalid(file, `validation: "${shown}" is none of the format’s modes`);
  }
  const scoring = given.has('scoring');
  if (options.includes('score') && !scoring) {
    throw invalid(file, 'validation: a validator that scores needs type: scoring');
  }
  return {
    scoring,
    interactive: given.has('interactive') || options.includes('interactive'),
    multiPass: given.has('multi-pass') || options.includes('multi-pass'),
    submitAnswer: given.has('submit-answer'),
  };
}
