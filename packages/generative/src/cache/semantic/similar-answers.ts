/**
 * Whole answers by the vectors of their questions. The nearest one of the same setting is found by
 * looking at all of them: a setting keeps few, so that this takes less than a millisecond.
 */
import type { Instant } from '@skein/serving';
import type { GenerateEvent } from '../../contract.ts';
import { numbersOf, type Question, similarityOf } from './question.ts';

export interface KeptAnswer {
  readonly question: string;
  readonly vector: Float32Array;
  readonly events: readonly GenerateEvent[];
  readonly text: string;
}

export interface Nearest {
  readonly answer: KeptAnswer;
  /** 1: the same words. */
  readonly similarity: number;
}

export interface SimilarAnswers {
  /** The answer to the same words. */
  same(question: Question, now: Instant): Nearest | undefined;
  nearest(question: Question, vector: Float32Array, now: Instant): Nearest | undefined;
  keep(setting: string, answer: KeptAnswer, now: Instant): void;
  readonly bytes: number;
}

const LARGEST_BYTES = 64 * 2 ** 20;
/** Of one setting: 1,000 vectors of 1,000 numbers take about a millisecond. */
const MOST_PER_SETTING = 1000;
/** The objects of an answer, besides its texts and its vector. */
const ANSWER_BYTES = 1000;

interface Entry {
  readonly answer: KeptAnswer;
  readonly numbers: string;
  readonly since: Instant;
  readonly bytes: number;
}

export function createSimilarAnswers(
  freshMs: number,
  largestBytes = LARGEST_BYTES,
): SimilarAnswers {
  /** Settings in the order of their last answer, entries in the order of their age. */
  const settings = new Map<string, Map<string, Entry>>();
  let bytes = 0;

  function forget(setting: string, question: string): void {
    const entries = settings.get(setting);
    bytes -= entries?.get(question)?.bytes ?? 0;
    entries?.delete(question);
    if (entries?.size === 0) settings.delete(setting);
  }

  const isFresh = ({ since }: Entry, now: Instant): boolean => now - since <= freshMs;

  return {
    get bytes() {
      return bytes;
    },
    same({ setting, text }, now) {
      const entry = settings.get(setting)?.get(text);
      if (entry === undefined || !isFresh(entry, now)) return undefined;
      return { answer: entry.answer, similarity: 1 };
    },
    nearest({ setting, text }, vector, now) {
      const numbers = numbersOf(text);
      let nearest: Nearest | undefined;
      for (const entry of settings.get(setting)?.values() ?? []) {
        if (entry.numbers !== numbers || !isFresh(entry, now)) continue;
        const similarity = similarityOf(vector, entry.answer.vector);
        if (similarity > (nearest?.similarity ?? -1))
          nearest = { answer: entry.answer, similarity };
      }
      return nearest;
    },
    keep(setting, answer, now) {
      const { question, vector, events } = answer;
      const size =
        ANSWER_BYTES + vector.byteLength + 2 * (question.length + JSON.stringify(events).length);
      forget(setting, question);
      if (size > largestBytes) return;
      const entries = settings.get(setting) ?? new Map<string, Entry>();
      settings.delete(setting);
      settings.set(setting, entries);
      entries.set(question, { answer, numbers: numbersOf(question), since: now, bytes: size });
      bytes += size;
      if (entries.size > MOST_PER_SETTING) forget(setting, entries.keys().next().value!);
      for (const [oldest, all] of settings) {
        for (const [first, entry] of all) {
          if (bytes <= largestBytes && isFresh(entry, now)) break;
          forget(oldest, first);
        }
        if (bytes <= largestBytes) break;
      }
    },
  };
}
