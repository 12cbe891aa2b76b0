/**
 * One answer for the same deterministic requests: a kept one, or the answer to a call in flight,
 * which other callers join.
 *
 *   request ─▶ kept? ─▶ hit
 *          └─▶ in flight? ─▶ joined ─┬─▶ its answer
 *          │                         └─ ended by another caller's bounds, or before the caller has
 *          └─▶ a call ◀──────────────── seen any of it in a way that may be its own ─┘
 *
 * A call is shared by callers that would be treated alike: streamed or not, continued or not, and on
 * the same side of a canary.
 */
import { SkeinError } from '@skein/api/errors';
import type { Instant } from '@skein/serving';
import type { Caller, GenerateRequest } from '../contract.ts';
import type { Answer } from '../execute.ts';
import { deadlinesOf, tokenLimitOf, type Execution } from '../execution.ts';
import type { Source } from '../generation.ts';
import { leave } from '../leavable.ts';
import { createAnswers } from './answers.ts';
import { startFlight, type Flight } from './flight.ts';
import { isRepeatable, requestKey } from './request-key.ts';

export interface SharedAnswersOptions {
  readonly clock: { now(): Instant };
  readonly execute: (execution: Execution, request: GenerateRequest) => Promise<Answer>;
}

/** @returns the answer to a deterministic request. @throws SkeinError as `execute` does. */
export type SharedAnswers = (execution: Execution, request: GenerateRequest) => Promise<Source>;

export function createSharedAnswers({ clock, execute }: SharedAnswersOptions): SharedAnswers {
  const answers = createAnswers();
  /** Whose answer has not ended. */
  const flights = new Map<string, Flight<Answer>>();

  async function shared(execution: Execution, request: GenerateRequest): Promise<Source> {
    const { signal, tenant } = execution.caller;
    signal.throwIfAborted();
    const maxTokens = tokenLimitOf(execution, request);
    const key = requestKey({ ...request, maxTokens }, tenant);
    const known = answers.find(key, clock.now());
    if (known !== undefined) return { cache: 'hit', events: known, pays: () => false };
    const { ownAt } = deadlinesOf(execution);
    const flight = flights.get(flightKey(key, request, execution));
    if (flight !== undefined) {
      const joined = flight.join(signal, ownAt);
      try {
        const answer = await joined.answer;
        const source = {
          answer,
          cache: 'joined',
          events: joined.events(),
          pays: joined.pays,
        } as const;
        const mayAskAgain = !joined.pays() && clock.now() < ownAt;
        // Where text has been shown, it is too late, as it is for a caller alone.
        if (!mayAskAgain || isRepeatable(request, answer.head)) return source;
        leave(source.events);
      } catch (error) {
        if (!isBoundOf(flight, error, ownAt)) throw error;
      }
    }
    const own = begin(key, execution, request).join(signal, ownAt);
    return { answer: await own.answer, cache: 'miss', events: own.events(), pays: own.pays };
  }

  /** Whether the flight ended at a deadline or budget of the caller that began it; this caller may have more of both. */
  function isBoundOf(flight: Flight<Answer>, error: unknown, ownAt: Instant): boolean {
    if (!(error instanceof SkeinError)) return false;
    if (error.code === 'PROVIDER_TIMEOUT') return flight.deadlineAt < ownAt;
    const isBound = error.code === 'DEADLINE_UNREACHABLE' || error.code === 'BUDGET_SPENT';
    return isBound && clock.now() < ownAt;
  }

  function begin(key: string, execution: Execution, request: GenerateRequest): Flight<Answer> {
    const { ownAt, modelsAt } = deadlinesOf(execution);
    const until = Math.max(ownAt, modelsAt);
    const at = flightKey(key, request, execution);
    let given: Answer | undefined;
    const flight = startFlight<Answer>({
      deadlineAt: until,
      clock,
      async begin(signal, begun) {
        const caller = { ...execution.caller, signal };
        given = await execute({ ...execution, caller, until, begun }, request);
        return given;
      },
      ended({ isWhole, events }) {
        if (flights.get(at) === flight) flights.delete(at);
        if (!isWhole || given?.isFromCandidate === true || given?.isContinued?.() === true) return;
        if (!isRepeatable(request, events)) return;
        answers.keep(key, events, clock.now());
      },
    });
    flights.set(at, flight);
    return flight;
  }
  return shared;
}

/** A stream is left to its readers; a whole answer may come from another provider until its end. */
function flightKey(
  key: string,
  { stream }: GenerateRequest,
  { caller: { continues = false }, assignment }: Pick<Execution, 'assignment'> & { caller: Caller },
): string {
  const side = assignment?.isTaken === true ? assignment.rollout.id : '';
  return `${key} ${stream} ${continues} ${side}`;
}
