/**
 * One request to the routes of its model: admission, places, money, the call, and what is learned
 * from it.
 *
 *   admit ─▶ order ─▶ commit: place ─▶ worst case reserved ─▶ call ─▶ first content ─▶ the rest ─▶ settled
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { GenerativeModel } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import type { Instant } from '@skein/serving';
import { isUnbilled, linkedTo, NOTHING, openCall } from './call.ts';
import type { Caller, GenerateEvent, GenerateRequest, Provider, Usage } from './contract.ts';
import { leavable, type EventIterator } from './leavable.ts';
import { payerOf, type Ledger } from './money/ledger.ts';
import { costOf, promptTokens } from './money/price.ts';
import { admit, type Verdict } from './routing/admit.ts';
import { startAttempt, type Attempt } from './routing/attempt.ts';
import { commit, type Committed, type Running } from './routing/commit.ts';
import type { HedgeBudget } from './routing/hedge-budget.ts';
import { orderRoutes } from './routing/order.ts';
import type { Route } from './routing/route.ts';
import { fallsBackFrom, noteAttempt, type Assignment } from './rollout/assign.ts';
import { DEADLINE_OBJECTIVES, HEDGE_MARGIN, HEDGE_QUANTILE, LARGE_PROMPT } from './tuning.ts';

export interface Model {
  readonly settings: GenerativeModel;
  readonly routes: readonly Route[];
  readonly hedges: HedgeBudget;
}

export interface Execution {
  readonly model: Model;
  /** Of the model's, those to which the tenant's data may go. */
  readonly routes: readonly Route[];
  /** Where a route of the model is being replaced. */
  readonly assignment?: Assignment | undefined;
  readonly caller: Caller;
  readonly ledger: Ledger;
  readonly clock: { now(): number };
  readonly random: () => number;
  /** How long it may wait for the first content, where others than its caller do so too; absent: by the caller's deadline. */
  readonly until?: Instant | undefined;
  /** Told of the first content. Of an answer that is not streamed, that is long before its end. */
  readonly begun?: (() => void) | undefined;
  /** Told of each call that has failed, was overtaken or left before it answered. */
  readonly lost?: ((loss: LostCall) => void) | undefined;
}

export type Events = EventIterator | readonly GenerateEvent[];

/** A call that has cost something and answered nothing. */
export interface LostCall {
  readonly provider: string;
  readonly nanoDollars: number;
  readonly usage: Usage;
}

/** What a request has cost. */
export interface Spent {
  /** Of all calls, hedges and failed ones included. */
  readonly nanoDollars: number;
  /** Without those that `lost` was told of. */
  readonly answerNanoDollars: number;
  /** Of the answer. */
  readonly usage: Usage;
}

export interface Answer {
  readonly route: Route;
  /** Whether that is the new route of a rollout. */
  readonly isFromCandidate: boolean;
  readonly attempts: number;
  /** When the first content came. */
  readonly firstAt: Instant;
  /** The worst case of the answer's own call, in nano-dollars. */
  readonly worst: number;
  /** Once the events have ended. */
  readonly spent: () => Spent;
  /** What its own call has used so far, estimated where the provider has not said. */
  readonly used: () => Usage;
  /** Whether it was cut and continued: the same request may get another answer. */
  readonly isContinued?: () => boolean;
  /** Up to and with the first content; all events where the caller reads none before the last. */
  readonly head: readonly GenerateEvent[];
  /** From the first event; a list where the caller reads none before the last. */
  readonly events: () => Events;
}

/** A call that is to be made. */
export interface Start {
  readonly route: Route;
  readonly longestWaitMs: number;
  /** Longest wait for the first content, the one for a place included. */
  readonly firstMs: number;
  /** Whether the caller leaves the provider less time than its model does. */
  readonly isHurried: boolean;
}

interface Won {
  readonly route: Route;
  readonly attempt: Attempt;
  readonly head: readonly GenerateEvent[];
  readonly firstAt: Instant;
  /** Of the call, in nano-dollars. */
  readonly worst: number;
  /** Ends the call: gives its place back and settles its worst case. */
  readonly settle: (error: unknown) => void;
}

/** What the provider is told. A worst case that a budget reserves is one only if the provider is held to it. */
export function tokenLimitOf(
  { model, caller, ledger }: Pick<Execution, 'model' | 'caller' | 'ledger'>,
  { maxTokens }: GenerateRequest,
): number | undefined {
  return maxTokens ?? (ledger.counts(payerOf(caller)) ? model.settings.maxOutputTokens : undefined);
}

/** @throws SkeinError before the first content; of an answer that is not streamed, before its end. */
export async function execute(execution: Execution, request: GenerateRequest): Promise<Answer> {
  const { model, caller, clock, assignment } = execution;
  const { settings } = model;
  const prompt = promptTokens(request, settings.contextTokens);
  // What was read of a large request, and what is written of it, are two turns of the event loop.
  if (prompt.most > LARGE_PROMPT) await turn();
  const maxTokens = tokenLimitOf(execution, request);
  const outputMost = (maxTokens ?? settings.maxOutputTokens) * (request.choices ?? 1);
  const worstUsage = { inputTokens: prompt.most, outputTokens: outputMost };
  const total = { nanoDollars: 0, answerNanoDollars: 0, usage: NOTHING };

  function start({ route, longestWaitMs, firstMs, isHurried }: Start) {
    const { signal, abort, unlink } = linkedTo(caller.signal);
    let isOvertaken = false;
    /** Whether the caller reads it: the answer may still be cut, or left. */
    let isRead = false;
    const begun = Promise.withResolvers<void>();
    const content = (async (): Promise<Won> => {
      const since = clock.now();
      let firstAt: number | undefined;
      const note = (error: unknown): void => {
        const ttftMs = firstAt === undefined ? undefined : firstAt - since;
        const end = { error, ttftMs, tookMs: clock.now() - since, isHurried };
        noteAttempt(assignment, route, end, settings.ttftMs);
      };
      const worst = worstUsage;
      const opening = openCall(execution, { route, longestWaitMs, worst, signal, isHurried });
      opening.catch((error: unknown) => {
        unlink();
        note(error);
      });
      const call = await opening;
      const { sentAt } = call;
      // The store of the budgets may have taken a while: the caller may have left.
      const isSent = !signal.aborted;
      const attempt = startAttempt(
        route.provider,
        {
          ...request,
          model: route.settings.model,
          maxTokens,
          continuation: continuationFor(route.provider, request),
        },
        {
          signal,
          firstMs: firstMs - (sentAt - since),
          gapMs: settings.gapMs,
          promptTokens: prompt.expected,
          clock,
        },
      );
      const settle = (error: unknown): void => {
        unlink();
        signal.removeEventListener('abort', leave);
        const usage = isSent ? usageOf(attempt, error) : NOTHING;
        const nanoDollars = call.settle(error, usage);
        if (nanoDollars === undefined) return;
        note(error);
        total.nanoDollars += nanoDollars;
        // The caller reads what its own answer took, also of one that is cut.
        if (error === undefined || isRead) {
          total.usage = usage;
          total.answerNanoDollars += nanoDollars;
        } else if (usage !== NOTHING) {
          execution.lost?.({ provider: route.provider.name, nanoDollars, usage });
        }
      };
      const leave = (): void => settle(signal.reason);
      try {
        const head = await attempt.head;
        // A listener for what has been aborted since would never be told.
        signal.throwIfAborted();
        firstAt = clock.now();
        begun.resolve();
        execution.begun?.();
        route.times.record(firstAt - sentAt, attempt.inputTokens ?? prompt.expected);
        // A caller that goes before it has read anything would hold the place for good.
        signal.addEventListener('abort', leave, { once: true });
        const all = request.stream ? head : await collect(head, attempt, settings.totalMs);
        // It may have been left, and settled so, with its last event.
        signal.throwIfAborted();
        if (!request.stream) settle(undefined);
        isRead = true;
        return {
          route,
          attempt,
          head: all,
          firstAt,
          worst: call.worst,
          settle,
        };
      } catch (error) {
        // One that a faster provider has overtaken was at least as slow as this.
        if (isOvertaken) route.times.record(clock.now() - sentAt, prompt.expected);
        settle(error);
        throw error;
      }
    })();
    const cancel = (reason: Error): void => {
      isOvertaken = true;
      abort(reason);
    };
    return { content, begun: begun.promise, cancel };
  }

  const { result, attempts } = await route(execution, prompt, worstUsage, start);
  const { attempt, head } = result;

  async function* read(): AsyncGenerator<GenerateEvent, void> {
    let isDone = false;
    let failure: unknown;
    try {
      for (const event of head) yield event;
      yield* attempt.rest();
      isDone = true;
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      if (isDone) result.settle(undefined);
      else left(failure);
    }
  }
  function left(reason: unknown): void {
    const failure = reason ?? new SkeinError('CANCELLED', 'The answer was not read to its end.');
    attempt.cancel(failure as Error);
    result.settle(failure);
  }
  return {
    route: result.route,
    isFromCandidate: result.route === assignment?.candidate,
    attempts,
    firstAt: result.firstAt,
    worst: result.worst,
    spent: () => total,
    used: () => attempt.used(),
    head,
    // A whole answer has been settled.
    events: request.stream ? () => leavable(read(), () => left(undefined)) : () => head,
  };
}

/** Tokens are words of the provider that has named them. */
function continuationFor({ name }: Provider, { continuation }: GenerateRequest) {
  return continuation?.tokens === undefined || continuation.tokens.provider === name
    ? continuation
    : { text: continuation.text };
}

/** When the first content must be there: by the request's own deadline, and by its model's. */
export function deadlinesOf({ model: { settings }, caller }: Execution) {
  const { ttftMs, deadlineMs = DEADLINE_OBJECTIVES * ttftMs } = settings;
  const modelsAt = caller.arrivedAt + deadlineMs;
  return { ownAt: caller.deadline ?? modelsAt, modelsAt };
}

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
      closedInMs: each.closedIn(now),
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
  if (tried.length === 0)
    throw refusal(
      settings.name,
      prospects.map(({ verdict }) => verdict),
    );
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
  // What a promotion would have done to the request.
  const outcome = prospect.verdict.reason === 'closed' ? 'failed' : 'late';
  assignment.rollout.note('candidate', outcome, undefined);
  return [];
}

function refusal(model: string, verdicts: readonly Verdict[]): SkeinError {
  const refused = verdicts.filter((each) => !each.admitted);
  const inMs = Math.min(...refused.map((each) => each.inMs));
  const isClosed = refused.every(({ reason }) => reason === 'closed');
  return isClosed
    ? new SkeinError('PROVIDERS_UNAVAILABLE', `Every provider of ${model} is away.`, {
        retryAfterMs: inMs,
      })
    : new SkeinError(
        'DEADLINE_UNREACHABLE',
        `The first token of ${model} would come after its objective.`,
        { retryAfterMs: inMs },
      );
}

async function collect(
  head: readonly GenerateEvent[],
  attempt: Attempt,
  totalMs: number,
): Promise<readonly GenerateEvent[]> {
  const timer = setTimeout(
    () =>
      attempt.cancel(
        new SkeinError('UPSTREAM_TIMEOUT', `The answer took more than ${totalMs} ms.`),
      ),
    totalMs,
  );
  try {
    return [...head, ...(await attempt.remaining())];
  } finally {
    clearTimeout(timer);
  }
}

/** What an attempt has used: nothing that is billed, where its provider refused it. */
export function usageOf(attempt: Attempt, error: unknown): Usage {
  return attempt.characters === 0 && isUnbilled(error) ? NOTHING : attempt.used();
}
