/** How one request meets the rollout of its model: which routes it may take, and what is noted of them. */
import type { LanguageRoute } from '@skein/api';
import type { SkeinError } from '@skein/api/errors';
import type { Caller } from '../contract.ts';
import { fallsBack } from '../routing/commit.ts';
import type { Route } from '../routing/route.ts';
import { outcomeOf, type AttemptEnd } from './outcome.ts';
import type { FollowedRollout, RolloutTraffic } from './traffic.ts';

export interface Assignment {
  readonly rollout: FollowedRollout;
  readonly candidate: Route;
  /** Whether the candidate is tried first. Otherwise the request does not go there. */
  readonly isTaken: boolean;
}

/**
 * @param openRoute undefined where the provider is not declared.
 * @returns a function that assigns a request to a side. What is learned of a new route stays while its
 *   rollout lasts.
 */
export function createAssigner(
  rollouts: RolloutTraffic,
  openRoute: (model: string, settings: LanguageRoute) => Route | undefined,
  random: () => number,
) {
  const candidates = new Map<string, Route | undefined>();
  return (
    model: string,
    { stickyKey }: Pick<Caller, 'stickyKey'>,
    mayUse: (provider: string) => boolean,
  ): Assignment | undefined => {
    const rollout = rollouts.of(model);
    if (rollout === undefined || !mayUse(rollout.candidate.provider)) return undefined;
    if (!candidates.has(rollout.id))
      candidates.set(rollout.id, openRoute(model, rollout.candidate));
    const candidate = candidates.get(rollout.id);
    return candidate && { rollout, candidate, isTaken: rollout.takes(stickyKey, random()) };
  };
}

/** Notes the end of an attempt, if its route is one of the two that are compared. */
export function noteAttempt(
  assignment: Assignment | undefined,
  route: Route,
  end: AttemptEnd,
  objectiveMs: number,
): void {
  if (assignment === undefined) return;
  const { rollout, candidate } = assignment;
  const { provider, model } = rollout.replaces;
  const isStable = route.settings.provider === provider && route.settings.model === model;
  if (route !== candidate && !isStable) return;
  const outcome = outcomeOf(end, objectiveMs);
  if (outcome === undefined) return;
  rollout.note(route === candidate ? 'candidate' : 'stable', outcome, end.ttftMs);
}

const FINAL: ReadonlySet<string> = new Set(['CANCELLED', 'BUDGET_SPENT', 'CONTENT_FILTERED']);

/**
 * Whether another route may do better. Where the new route of a canary refuses a request, it may be
 * the route's fault: the others are asked. A content filter stays the last word.
 */
export function fallsBackFrom(
  assignment: Assignment | undefined,
  route: Route,
  error: unknown,
): boolean {
  if (fallsBack(error)) return true;
  const { code } = error as SkeinError;
  return route === assignment?.candidate && !FINAL.has(code);
}
