/**
 * The outcome of an attempt for its route, for the verdict of a rollout. Pure.
 *
 * Everything that the route itself refuses or breaks counts as a failure, also a refused request or
 * a content filter: the replaced route gets such requests too, and only what is worse than it counts
 * against the new one. An end by the caller, a budget or the gateway does not count, unless the
 * objective had passed by then.
 */
import { SkeinError } from '@skein/api/errors';

export type RouteOutcome = 'answered' | 'late' | 'failed';

export interface AttemptEnd {
  /** Absent: the answer is whole. */
  readonly error?: unknown;
  /** From the start of the attempt, its wait for a place included; absent: no first token came. */
  readonly ttftMs?: number | undefined;
  /** From its start to its end. */
  readonly tookMs: number;
  /** Whether the caller left it less time than its model does. */
  readonly isHurried: boolean;
}

/** Not of the route's making. */
const OURS: ReadonlySet<string> = new Set(['CANCELLED', 'BUDGET_SPENT', 'STORE_UNREACHABLE']);
/** No place was free in time, or its circuit is open. */
const SHED: ReadonlySet<string> = new Set(['DEADLINE_UNREACHABLE', 'QUEUE_FULL']);

/** @returns undefined: the attempt does not count. */
export function outcomeOf(
  { error, ttftMs, tookMs, isHurried }: AttemptEnd,
  objectiveMs: number,
): RouteOutcome | undefined {
  const isLate = (ttftMs ?? tookMs) > objectiveMs;
  if (error === undefined) return isLate ? 'late' : 'answered';
  const code = error instanceof SkeinError ? error.code : 'INTERNAL';
  if (SHED.has(code)) return 'late';
  const isCutShort = isHurried && code === 'PROVIDER_TIMEOUT' && ttftMs === undefined;
  if (!isCutShort && !OURS.has(code)) return 'failed';
  if (isLate) return 'late';
  // The caller left after its first token, and has seen that it came in time.
  return ttftMs === undefined ? undefined : 'answered';
}
