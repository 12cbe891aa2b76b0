/** Fields that no codec has a word for, with the texts in them replaced. */
import type { Extra } from '../contract.ts';
import { namesOf } from '../wire/json.ts';

export type Replace = (text: string) => string;

/** Not texts: bytes of files in base64, and a signature that a provider wants back as it was. */
const BYTES = namesOf(`
  input_audio.data file.file_data video_url.url inlineData.data google.thought_signature
  thoughts.thought_signature
`);

export const redactedExtra = (extra: Extra, replace: Replace): Extra =>
  replacedFields('', extra, replace);

/** The replaced extra as a field of an object, which stays absent where it is. */
export const extraOf = (extra: Extra | undefined, replace: Replace): { readonly extra?: Extra } =>
  extra === undefined ? {} : { extra: redactedExtra(extra, replace) };

/**
 * Fields of a piece of a stream. The upstream may repeat the text piece by piece in a field, where no scanner
 * follows it. Only `extra_content` passes: its values are whole, and the next turn needs some of them.
 */
export function pieceExtraOf(
  extra: Extra | undefined,
  replace: Replace,
): { readonly extra?: Extra } {
  const content = extra?.['extra_content'];
  return content === undefined ? {} : extraOf({ extra_content: content }, replace);
}

function replacedFields(parent: string, fields: object, replace: Replace): Extra {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      BYTES.has(`${parent}.${name}`) ? value : replacedIn(name, value, replace),
    ]),
  );
}

function replacedIn(name: string, value: unknown, replace: Replace): unknown {
  if (typeof value === 'string') return replace(value);
  if (Array.isArray(value)) return value.map((each) => replacedIn(name, each, replace));
  if (typeof value !== 'object' || value === null) return value;
  return replacedFields(name, value, replace);
}
