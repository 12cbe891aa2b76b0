/** Which routes a request may take, in which order, and the one that answers it. */
import { SkeinError } from '@skein/api/errors';
import type { Usage } from '../contract.ts';
import { deadlinesOf, type Execution, type Start } from '../execution.ts';
import { costOf } from '../money/price.ts';
import { fallsBackFrom, type Assignment } from '../rollout/assign.ts';
import { HEDGE_MARGIN, HEDGE_QUANTILE } from '../tuning.ts';
import { admit, type Verdict } from './admit.ts';
import { commit, type Committed, type Running } from './commit.ts';
import { orderRoutes } from './order.ts';
import type { Route } from './route.ts';

/** Chooses the routes by admission and policy, and commits to one. */
export function route<Result>(
  execution: Execution,
  prompt: { readonly expected: number },
  worst: Usage,
  start: (start: Start) => Running<Result>,
  mayHedge = execution.model.settings.hedge,
): Promise<Committed<Result>> {
  const { model, routes, assignment, caller, clock, random } = execution;
  const { settings } = model;
  const now = clock.now();
  const isPromise = caller.deadline !== undefined;
  const objectiveAt = caller.deadline ?? caller.arrivedAt + settings.ttftMs;
  const { ownAt, modelsAt } = deadlinesOf(execution);
  const deadlineAt = execution.until ?? ownAt;
  const leastMs = (modelsAt - caller.arrivedAt) / routes.length;
  const prospectOf = (each: Route) => {
    const waitMs = each.places.expectedWaitMs(caller.tenant);
    const p50Ms = each.times.predict(prompt.expected, 0.5);
    const prospect = {
      closedInMs: each.closedIn(now, caller.tenant),
      waitMs,
      p50Ms,
      p99Ms: each.times.predict(prompt.expected, 0.99),
    };
    return {
      route: each,
      verdict: admit(prospect, objectiveAt - now, isPromise),
      index: each.index,
      weight: each.settings.weight,
      quality: each.settings.quality,
      cost: costOf(each.settings.price, worst),
      ttftMs: waitMs + (p50Ms ?? 0),
    };
  };
  const prospects = routes.map(prospectOf);
  const admitted = prospects.filter(({ verdict }) => verdict.admitted);
  const tried = [
    ...newcomersOf(assignment, prospectOf),
    ...orderRoutes(settings.policy, admitted, caller.stickyKey, random),
  ];
  if (tried.length === 0) throw refusal(settings.name, prospects, now);
  model.hedges.earn();
  return commit({
    routes: tried,
    start({ route: each, verdict }, firstMs, isHedge) {
      const longest = verdict.admitted && !isHedge ? verdict.longestWaitMs : 0;
      return start({
        route: each,
        longestWaitMs: Math.min(firstMs, longest),
        firstMs,
        isHurried: deadlineAt < modelsAt && firstMs < leastMs,
      });
    },
    hedgeAfterMs({ route: each }) {
      const slowMs = mayHedge ? each.times.predict(prompt.expected, HEDGE_QUANTILE) : undefined;
      return slowMs === undefined ? undefined : slowMs * HEDGE_MARGIN;
    },
    fallsBack: ({ route: each }, error) => fallsBackFrom(assignment, each, error),
    mayHedge: () => model.hedges.spend(),
    deadlineMs: deadlineAt - now,
    clock,
  });
}

/** The new route of a rollout, if it takes the request and can have its first token in time. */
function newcomersOf<Prospect extends { readonly verdict: Verdict }>(
  assignment: Assignment | undefined,
  prospectOf: (route: Route) => Prospect,
): Prospect[] {
  if (assignment?.isTaken !== true) return [];
  const prospect = prospectOf(assignment.candidate);
  if (prospect.verdict.admitted) return [prospect];
  // The outcome of the request after a promotion.
  const outcome = prospect.verdict.reason === 'closed' ? 'failed' : 'late';
  assignment.rollout.note('candidate', outcome, undefined);
  return [];
}

function refusal(
  model: string,
  prospects: readonly { readonly route: Route; readonly verdict: Verdict }[],
  now: number,
): SkeinError {
  const refused = prospects.map(({ verdict }) => verdict).filter((each) => !each.admitted);
  const inMs = Math.min(...refused.map((each) => each.inMs));
  const isClosed = refused.every(({ reason }) => reason === 'closed');
  const causes = prospects.flatMap((prospect) => {
    const code = prospect.route.closed(now)?.by.code;
    return code === undefined ? [] : [`${prospect.route.settings.provider} for ${code}`];
  });
  const away = [...new Set(causes)].join(', ');
  return isClosed
    ? new SkeinError('PROVIDERS_UNAVAILABLE', `Every provider of ${model} is away: ${away}.`, {
        retryAfterMs: inMs,
      })
    : new SkeinError(
        'DEADLINE_UNREACHABLE',
        `The first token of ${model} would come after its objective.`,
        { retryAfterMs: inMs },
      );
}
