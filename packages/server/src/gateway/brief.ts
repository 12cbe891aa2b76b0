/** How messages show a client's value, and the refusals of what it sent. */
import { SkeinError } from '@skein/api';

/** Elements of a list that a message shows. */
const SHOWN = 12;

/**
 * A client's value, shortened for a message. The value may be as large and as deep as a body: only
 * the shown part is read.
 */
export function brief(value: unknown): string {
  const text = shown(value, 1);
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}

function shown(value: unknown, depth: number): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60));
  if (Array.isArray(value)) {
    if (depth === 0) return '[…]';
    const first = value.slice(0, SHOWN).map((item: unknown) => shown(item, depth - 1));
    return `[${first.join(',')}${value.length > SHOWN ? ',…' : ''}]`;
  }
  if (typeof value === 'object' && value !== null) {
    if (depth === 0) return '{…}';
    const first = Object.entries(value).slice(0, SHOWN);
    return `{${first.map(([key, item]) => `${shown(key, 0)}:${shown(item, depth - 1)}`).join(',')}}`;
  }
  if (value === undefined) return 'missing';
  if (typeof value === 'bigint') return String(value);
  // The digits that were sent are lost: show none that were not.
  const rounded = Number.isInteger(value) && !Number.isSafeInteger(value);
  return rounded ? `about ${(value as number).toExponential(3)}` : JSON.stringify(value);
}

/** A request that its protocol does not allow. */
export const invalidRequest = (message: string): SkeinError =>
  new SkeinError('REQUEST_INVALID', message);

/** Data that an input does not take. */
export const invalidData = (message: string): SkeinError => new SkeinError('INPUT_DATA', message);
