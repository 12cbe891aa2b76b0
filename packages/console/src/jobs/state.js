/** How the state of a job looks. */
import { chip } from '../parts.js';

export const STATES = ['blocked', 'ready', 'running', 'succeeded', 'failed', 'cancelled', 'dead'];

const TONES = {
  blocked: 'plain',
  ready: 'plain',
  succeeded: 'good',
  failed: 'bad',
  dead: 'bad',
  cancelled: 'warn',
};

export function toneOf(state) {
  return TONES[state] ?? 'accent';
}

export function stateChip({ state, cause }) {
  const why = cause === undefined || cause === state ? '' : `, ${cause.replaceAll('-', ' ')}`;
  return chip(`${state}${why}`, toneOf(state));
}

export function hasEnded({ state }) {
  return ['succeeded', 'failed', 'cancelled', 'dead'].includes(state);
}

/** Milliseconds from its first start to its end, or to now; undefined before. */
export function tookMs({ startedAt, endedAt, state }, now = Date.now()) {
  if (startedAt === undefined) return undefined;
  if (endedAt === undefined && state !== 'running') return undefined;
  const end = endedAt === undefined ? now : Date.parse(endedAt);
  return Math.max(end - Date.parse(startedAt), 0);
}
