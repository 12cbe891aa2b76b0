/** JSON of an upstream: any shape may come, so that nothing is read without a look. */
import { JSON_BOUNDS, type JsonBounds, readJson, readJsonOr } from '@skein/api/foreign-json';
import { MAX_TOKENS } from '../limits.ts';
import { upstreamError } from './upstream-error.ts';

export type Json = Readonly<Record<string, unknown>>;

/** @throws SkeinError PROVIDER_FAILED. */
export function parseJson(provider: string, text: string): unknown {
  try {
    return readJson(text, JSON_BOUNDS.answer);
  } catch {
    throw upstreamError('PROVIDER_FAILED', { provider, message: 'it sent malformed JSON.' });
  }
}

export function asObject(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Json)
    : undefined;
}

export function asObjects(value: unknown): readonly Json[] {
  if (!Array.isArray(value)) return [];
  return value.map(asObject).filter((each) => each !== undefined);
}

export function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Finite and not negative: a count or an index. */
export function asCount(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
    ? Math.floor(value)
    : undefined;
}

/** A count of tokens. One that no answer can have is no count: it would spend every budget. */
export function asTokens(value: unknown): number | undefined {
  const count = asCount(value);
  return count === undefined || count > MAX_TOKENS ? undefined : count;
}

/** Without the fields that are undefined. */
export function compact(value: Json): Json {
  const known: Record<string, unknown> = {};
  for (const key of Object.keys(value)) if (value[key] !== undefined) known[key] = value[key];
  return known;
}

/** The JSON value of a text, or another value where it is not JSON. */
export const parsedOr = (
  text: string,
  otherwise: unknown,
  bounds: JsonBounds = JSON_BOUNDS.request,
): unknown => readJsonOr(text, bounds, otherwise);

/** Names that are written as words, for tables of fields. */
export const namesOf = (words: string): ReadonlySet<string> => new Set(words.trim().split(/\s+/));

/** The fields that are not in `known`; undefined: none. */
export function otherFields(value: Json, known: ReadonlySet<string>): Json | undefined {
  let rest: Record<string, unknown> | undefined;
  for (const key in value) {
    if (known.has(key) || value[key] === undefined || value[key] === null) continue;
    rest ??= {};
    rest[key] = value[key];
  }
  return rest;
}

/** A duration such as `58s`, `0.5s`, `6m0s`, `1h2m3s`, `120ms`, or a number of seconds; in ms. */
export function durationMs(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined;
  return [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)].reduce(
    (sum, [, value, unit]) => sum + Number(value) * units[unit as keyof typeof units],
    0,
  );
}
