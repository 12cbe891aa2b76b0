/** Reads a list of kinds: the schemas of their terms, and the kind that a plan names. */
import type { z } from 'zod';
import type { Chosen, Kind } from './kind.ts';

interface Named {
  readonly name: string;
  readonly terms: z.ZodObject;
}

type TermsOf<Kinds extends readonly Named[]> = {
  -readonly [At in keyof Kinds]: Kinds[At]['terms'];
};

/** The schemas of a list, in its order, for a discriminated union. */
export const termsOf = <const Kinds extends readonly Named[]>(kinds: Kinds): TermsOf<Kinds> =>
  kinds.map(({ terms }) => terms) as unknown as TermsOf<Kinds>;

/** The schemas of drafts, as `termsOf`. */
export const draftsOf = <const Kinds extends readonly { readonly draft: z.ZodObject }[]>(
  kinds: Kinds,
): { -readonly [At in keyof Kinds]: Kinds[At]['draft'] } =>
  kinds.map(({ draft }) => draft) as never;

/** The kind of this name with the consequences of its options. @param own its options, as its schema has checked them. */
export function chosenOf<Facts, K extends Kind<Record<string, unknown>, Facts>>(
  kinds: readonly K[],
  name: string,
  own: Record<string, unknown>,
): Omit<K, 'of'> & Facts & Chosen {
  const kind = kinds.find((each) => each.name === name)!;
  return { ...kind, ...kind.of(own) };
}
