/** Fields of Gemini's wire in a request of OpenAI's form: Google's own OpenAI form has them there. */
import type { Extra } from '../contract.ts';
import { asCount, asObject, asObjects, asText, type Json } from './json.ts';

export function googleFields(extra: Extra | undefined): Json {
  return camelCased(asObject(asObject(extra?.['extra_body'])?.['google']) ?? {});
}

export function googleContent(extra: Extra | undefined): Json {
  return asObject(asObject(extra?.['extra_content'])?.['google']) ?? {};
}

/** Where a thought ends in `reasoning_content`, and the signature with which Gemini wants it back. */
export interface SignedThought {
  readonly thought_signature: string;
  /** In UTF-16 code units, from the beginning. */
  readonly end: number;
}

/**
 * The thoughts with a signature of a message, as `extra_content.google.thoughts`. Each event of a
 * stream repeats the earlier ones, because most clients keep the last list.
 */
export function signedThoughts(extra: Extra | undefined): SignedThought[] {
  return asObjects(googleContent(extra)['thoughts']).flatMap((each) => {
    const [signature, end] = [asText(each['thought_signature']), asCount(each['end'])];
    return signature === undefined || end === undefined
      ? []
      : [{ thought_signature: signature, end }];
  });
}

/** Gemini reads names as `camelCase` and as `snake_case`; here they have one form. */
export function camelCased(value: Json): Json {
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      name.replaceAll(/(?<=.)_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
      each,
    ]),
  );
}
