/** Verdicts, points, memory and times as text. */
import { bytes } from '@skein/ui';
import { VERDICT_NAMES } from '../judging/verdict.ts';
import type { SubmissionRow } from './judge-api.ts';

export function time(ms: number | undefined): string {
  if (ms === undefined) return '';
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

/** Answers that were computed elsewhere used no memory here. */
export function memory(count: number | undefined): string {
  return count === undefined || count === 0 ? '' : bytes(count);
}

export function points(score: number | undefined): string {
  return score === undefined ? '' : String(Number(score.toFixed(2)));
}

const STATES = { waiting: 'Waiting', compiling: 'Compiling', running: 'Running' } as const;

export function verdictText({ verdict, state, score, maxScore }: SubmissionRow): string {
  if (state !== 'judged') return STATES[state];
  if (score === undefined) return verdict === undefined ? '' : VERDICT_NAMES[verdict];
  return `${points(score)}${maxScore === undefined ? '' : ` of ${points(maxScore)}`} points`;
}
