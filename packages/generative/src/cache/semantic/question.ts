/**
 * What of a request may be answered by the answer to a similar one. Pure.
 *
 * One question of a user, in text, without tools. Everything else of the request is its setting: the
 * tenant, the system prompt, the sampling, the form and the length of the answer, unknown fields.
 * Answers are shared within equal settings only.
 */
import type { GenerateRequest } from '../../contract.ts';
import { requestKey } from '../request-key.ts';

export interface Question {
  /** Digest of the setting. */
  readonly setting: string;
  readonly text: string;
}

/** Longer texts have more than one meaning, of which an embedding holds one. */
const LONGEST_TEXT = 4000;

/** @returns undefined: the request is answered by the model only. */
export function questionOf(request: GenerateRequest, tenant: string): Question | undefined {
  const { prompt, tools = [], choices = 1, logprobs, messages, continuation } = request;
  if (continuation !== undefined) return undefined;
  if (prompt !== undefined || tools.length > 0 || choices !== 1 || logprobs !== undefined) {
    return undefined;
  }
  const asked = messages.at(-1);
  if (asked?.role !== 'user') return undefined;
  if (messages.slice(0, -1).some(({ role }) => role !== 'system')) return undefined;
  const texts: string[] = [];
  for (const part of asked.content) {
    if (part.type !== 'text' || part.extra !== undefined) return undefined;
    texts.push(part.text);
  }
  const text = texts.join('\n').trim();
  if (text === '' || text.length > LONGEST_TEXT) return undefined;
  const blank = { ...asked, content: [] };
  const setting = requestKey({ ...request, messages: [...messages.slice(0, -1), blank] }, tenant);
  return { setting, text };
}

/**
 * The numbers in a text, in their order. Embeddings hardly see them, and "17 times 3" is another
 * question than "17 times 4".
 */
export function numbersOf(text: string): string {
  return (text.match(/\p{Nd}+(?:[.,:/-]\p{Nd}+)*/gu) ?? []).join(' ');
}

/** Cosine of the angle between two vectors, -1 to 1; 0 for vectors of different lengths, or without one. */
export function similarityOf(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return 0;
  let [dot, aa, bb] = [0, 0, 0];
  for (let at = 0; at < a.length; at++) {
    const [x, y] = [a[at]!, b[at]!];
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  const cosine = dot / Math.sqrt(aa * bb);
  return Number.isFinite(cosine) ? cosine : 0;
}
