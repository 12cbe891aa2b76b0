/**
 * Fields of a request that a provider does not support. One that would change the answer is refused,
 * and the next route of the model gets the request. One that only affects the cost, urgency or
 * filing of an answer is ignored.
 */
import type { Extra, GenerateRequest, Sampling } from '../contract.ts';
import { FieldError } from '../field-error.ts';
import { camelCased, googleFields } from '../wire/google-fields.ts';
import { asObject, namesOf, type Json } from '../wire/json.ts';

export interface Support {
  /** Parameters of sampling that the provider does not have. */
  readonly lacks: readonly (keyof Sampling)[];
  /** Whether the provider reads the fields of Gemini's wire. */
  readonly google: boolean;
}

const HINTS = namesOf(`
  user prompt_cache_key metadata safety_identifier service_tier prediction prompt_cache_retention
`);
const GOOGLE_HINTS = namesOf('safetySettings labels thinkingConfig');
const GOOGLE_CONFIG_HINTS = namesOf('thinkingConfig mediaResolution');
/** Values that ask for what every provider does anyway, as JSON. */
const USUAL: Readonly<Record<string, string>> = {
  store: 'false',
  modalities: '["text"]',
  logit_bias: '{}',
  echo: 'false',
  suffix: '""',
};
/** OpenAI's names, and the values that change nothing. */
const SAMPLING: Readonly<Partial<Record<keyof Sampling, readonly [name: string, usual: number]>>> =
  {
    minP: ['min_p', 0],
    repetitionPenalty: ['repetition_penalty', 1],
  };

/** @throws FieldError GENERATION_UNSUPPORTED. */
export function refuseUnkept(
  provider: string,
  { extra, sampling = {} }: GenerateRequest,
  { lacks, google }: Support,
): void {
  for (const key of lacks) {
    const [name = key, usual] = SAMPLING[key] ?? [];
    if (sampling[key] !== undefined && sampling[key] !== usual) throw unkept(provider, name);
  }
  if (extra === undefined) return;
  const { extra_body: body, ...own } = extra;
  refuseOthers(provider, '', own, HINTS);
  refuseOthers(provider, 'extra_body.', asObject(body), new Set(['google']));
  if (google) return;
  const { generationConfig, ...fields } = googleFields(extra);
  refuseOthers(provider, '', fields, GOOGLE_HINTS);
  const config = camelCased(asObject(generationConfig) ?? {});
  refuseOthers(provider, 'generationConfig.', config, GOOGLE_CONFIG_HINTS);
}

function refuseOthers(
  provider: string,
  place: string,
  fields: Json | Extra | undefined,
  known: ReadonlySet<string>,
): void {
  for (const [name, value] of Object.entries(fields ?? {})) {
    if (known.has(name) || value === undefined || value === null) continue;
    if (JSON.stringify(value) === USUAL[name]) continue;
    throw unkept(provider, place + name.slice(0, 100));
  }
}

function unkept(provider: string, field: string): FieldError {
  const text = `Provider ${provider} does not support "${field}", and to ignore it would change the answer.`;
  return new FieldError(field, text, 'GENERATION_UNSUPPORTED');
}
