/**
 * The time limit that follows from the example submissions ("Problem timing", "Timelimit inference").
 * Pure: measured times in, a limit or the contradiction out. Times are cpu times in milliseconds.
 */
import type { TestResult } from '../judging/events.ts';
import type { ExampleSubmission, Problem, Requirement } from '../package/problem.ts';
import { testsMeant } from './expectations.ts';

export interface TimeBounds {
  /** Slowest run of a submission that must be fast enough; undefined when none was measured. */
  readonly slowestAcceptedMs: number | undefined;
  /** The fastest submission's slowest run, among the submissions that must be too slow. */
  readonly fastestTooSlowMs: number | undefined;
}

export type TimeRole = 'lower' | 'upper' | undefined;

/** How a requirement bounds the time limit. */
export function timeRole(requirement: Requirement): TimeRole {
  const { permitted, required, useForTimeLimit } = requirement;
  if (useForTimeLimit === false) return undefined;
  if (useForTimeLimit === 'lower' || useForTimeLimit === 'upper') return useForTimeLimit;
  if (required?.size === 1 && required.has('TLE')) return 'upper';
  return permitted !== undefined && !permitted.has('TLE') ? 'lower' : undefined;
}

/** Whether the example must be run before the time limit is known. */
export function boundsBelow(example: ExampleSubmission): boolean {
  if (example.legacyDirectory !== undefined) return example.legacyDirectory === 'accepted';
  return (
    example.requirements.some((requirement) => timeRole(requirement) === 'lower') &&
    !boundsAbove(example)
  );
}

export function boundsAbove(example: ExampleSubmission): boolean {
  if (example.legacyDirectory !== undefined)
    return example.legacyDirectory === 'time_limit_exceeded';
  return example.requirements.some((requirement) => timeRole(requirement) === 'upper');
}

export function timeBounds(
  measured: Iterable<readonly [ExampleSubmission, readonly TestResult[]]>,
): TimeBounds {
  let slowest: number | undefined;
  let fastest: number | undefined;
  const slowestOf = (results: readonly TestResult[]): number | undefined =>
    results.length === 0 ? undefined : Math.max(...results.map((result) => result.usage.cpuMs));
  for (const [example, results] of measured) {
    const rules: [TimeRole, readonly TestResult[]][] =
      example.legacyDirectory === undefined
        ? example.requirements.map((one) => [timeRole(one), testsMeant(one, results)])
        : [[legacyRole(example), results]];
    for (const [role, tests] of rules) {
      const time = slowestOf(tests);
      if (time === undefined) continue;
      if (role === 'lower') slowest = Math.max(slowest ?? 0, time);
      if (role === 'upper') fastest = Math.min(fastest ?? Number.POSITIVE_INFINITY, time);
    }
  }
  return { slowestAcceptedMs: slowest, fastestTooSlowMs: fastest };
}

function legacyRole(example: ExampleSubmission): TimeRole {
  if (boundsBelow(example)) return 'lower';
  return boundsAbove(example) ? 'upper' : undefined;
}

/** The smallest multiple of the resolution that is at least what the factor requires. */
export function inferredTimeLimit(problem: Problem, slowestAcceptedMs: number): number {
  const { multipliers, timeResolutionMs } = problem.limits;
  const least = slowestAcceptedMs * multipliers.acToTimeLimit;
  return Math.max(1, Math.ceil(least / timeResolutionMs)) * timeResolutionMs;
}

/** Contradictions with the factors of the format; empty when the limit fits. */
export function timeContradictions(
  problem: Problem,
  timeMs: number,
  { slowestAcceptedMs, fastestTooSlowMs }: TimeBounds,
): string[] {
  const { acToTimeLimit, timeLimitToTle } = problem.limits.multipliers;
  const problems: string[] = [];
  if (slowestAcceptedMs !== undefined && slowestAcceptedMs * acToTimeLimit > timeMs) {
    problems.push(
      `the slowest accepted submission needs ${s(slowestAcceptedMs)}; with the factor ${acToTimeLimit} that is more than the time limit of ${s(timeMs)}`,
    );
  }
  if (fastestTooSlowMs !== undefined && timeMs * timeLimitToTle > fastestTooSlowMs) {
    problems.push(
      `the fastest too slow submission needs ${s(fastestTooSlowMs)}; that is less than the time limit of ${s(timeMs)} times ${timeLimitToTle}`,
    );
  }
  return problems;
}

function s(ms: number): string {
  return `${(ms / 1000).toFixed(3)} s`;
}
