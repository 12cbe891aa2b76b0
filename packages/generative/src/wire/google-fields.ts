/** Fields of Gemini's wire in a request of OpenAI's form: Google's own OpenAI form has them there. */
import type { Extra } from '../contract.ts';
import { asObject, type Json } from './json.ts';

/** Those of `extra_body.google`. */
export function googleFields(extra: Extra | undefined): Json {
  return camelCased(asObject(asObject(extra?.['extra_body'])?.['google']) ?? {});
}

/** Those of `extra_content.google`. */
export function googleContent(extra: Extra | undefined): Json {
  return asObject(asObject(extra?.['extra_content'])?.['google']) ?? {};
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
