/**
 * The fields of the pieces of a stream that have no name here, joined for a whole answer: a refusal
 * comes in words, a list in items. Joins as OpenAI's clients join deltas: texts are appended, items of a list with
 * the same `index` are one, and of all else the last one counts. `extra_content` from Google is whole.
 */
import type { Extra } from '@skein/generative';

/** Fields whose pieces follow each other; others of a text, such as `type` and `id`, are repeated. */
const PIECES: ReadonlySet<string> = new Set([
  'refusal',
  'reasoning',
  'thinking',
  'text',
  'summary',
  'content',
  'transcript',
  'arguments',
]);

export function joinedExtra(a: Extra | undefined, b: Extra | undefined): Extra | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const result: Record<string, unknown> = { ...a };
  for (const [name, value] of Object.entries(b)) {
    result[name] =
      name === 'extra_content' ? joinedContent(a[name], value) : joined(name, a[name], value);
  }
  return result;
}

function joined(name: string, a: unknown, b: unknown): unknown {
  if (typeof a === 'string' && typeof b === 'string') return PIECES.has(name) ? a + b : b;
  if (Array.isArray(a) && Array.isArray(b)) return joinedItems(name, a, b);
  return isFields(a) && isFields(b) ? joinedExtra(a, b) : b;
}

function joinedItems(name: string, a: readonly unknown[], b: readonly unknown[]): unknown[] {
  const items = [...a];
  for (const item of b) {
    const index = indexOf(item);
    const at = index === undefined ? -1 : items.findIndex((each) => indexOf(each) === index);
    if (at === -1) items.push(item);
    else items[at] = joined(name, items[at], item);
  }
  return items;
}

/** Fields of a later piece replace earlier ones; parts follow each other. */
function joinedContent(a: unknown, b: unknown, name = ''): unknown {
  if (name === 'parts' && Array.isArray(a) && Array.isArray(b)) return [...a, ...b] as unknown[];
  if (!isFields(a) || !isFields(b)) return b;
  const result: Record<string, unknown> = { ...a };
  for (const [key, value] of Object.entries(b)) result[key] = joinedContent(a[key], value, key);
  return result;
}

const indexOf = (item: unknown): unknown => (isFields(item) ? item['index'] : undefined);

function isFields(value: unknown): value is Extra {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
