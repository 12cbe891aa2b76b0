/** Verdicts, sizes and times as text. */
import { VERDICT_NAMES } from '../judging/verdict.ts';
import type { SubmissionRow } from './judge-api.ts';

export function time(ms: number | undefined): string {
  if (ms === undefined) return '';
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

export function memory(bytes: number | undefined): string {
  if (bytes === undefined || bytes === 0) return '';
  const mebibytes = bytes / 2 ** 20;
  return `${mebibytes < 10 ? mebibytes.toFixed(1) : Math.round(mebibytes)} MiB`;
}

export function size(bytes: number): string {
  return bytes < 1024 ? `${bytes} B` : `${(bytes / 1024).toFixed(1)} KiB`;
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

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });

export function moment(iso: string): string {
  return clock.format(new Date(iso));
}

export function ago(iso: string): string {
  const seconds = Math.min(0, (Date.parse(iso) - Date.now()) / 1000);
  if (seconds > -60) return 'just now';
  if (seconds > -3600) return relative.format(Math.ceil(seconds / 60), 'minute');
  if (seconds > -86_400) return relative.format(Math.ceil(seconds / 3600), 'hour');
  return relative.format(Math.ceil(seconds / 86_400), 'day');
}
