/** The display of a job's state. */
import type { JobView } from '@skein/api';
import { Chip, type Tone } from '@skein/ui';
import './jobs.css';

const TONES: Readonly<Record<JobView['state'], Tone>> = {
  blocked: 'plain',
  ready: 'plain',
  running: 'accent',
  succeeded: 'good',
  failed: 'bad',
  cancelled: 'warn',
  dead: 'bad',
};

export const STATES = Object.keys(TONES) as readonly JobView['state'][];

export function toneOf(state: JobView['state']): Tone {
  return TONES[state];
}

/** `18 ready, 202 succeeded`; without the states that no job is in. */
export function countsText(counts: Readonly<Partial<Record<JobView['state'], number>>>): string {
  return STATES.flatMap((state) => {
    const count = counts[state] ?? 0;
    return count === 0 ? [] : `${count} ${state}`;
  }).join(', ');
}

export function StateChip({ state, cause }: Pick<JobView, 'state' | 'cause'>) {
  const why = cause === undefined || cause === state ? '' : `, ${cause.replaceAll('-', ' ')}`;
  return <Chip tone={toneOf(state)}>{`${state}${why}`}</Chip>;
}

/** Milliseconds from its first start to its end, or to now; undefined before. */
export function tookMs(
  { startedAt, endedAt, state }: Pick<JobView, 'startedAt' | 'endedAt' | 'state'>,
  now = Date.now(),
): number | undefined {
  if (startedAt === undefined) return undefined;
  if (endedAt === undefined && state !== 'running') return undefined;
  const end = endedAt === undefined ? now : Date.parse(endedAt);
  return Math.max(end - Date.parse(startedAt), 0);
}
