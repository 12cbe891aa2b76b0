/**
 * One request to the routes of its model: admission, places, money, the call, and what is learned
 * from it.
 *
 *   admit ─▶ order ─▶ commit: place ─▶ worst case reserved ─▶ call ─▶ first content ─▶ the rest ─▶ settled
 */
import { setImmediate as turn } from 'node:timers/promises';
import { SkeinError } from '@skein/api/errors';
import type { Instant } from '@skein/serving';
import { NOTHING } from './call.ts';
import type { GenerateEvent, GenerateRequest, Usage } from './contract.ts';
import { tokenLimitOf, type Execution } from './execution.ts';
import { leavable, type EventIterator } from './leavable.ts';
import { promptTokens } from './money/price.ts';
import { route } from './routing/choose.ts';
import type { Route } from './routing/route.ts';
import { startCall } from './streamed-call.ts';
import { LARGE_PROMPT } from './tuning.ts';

export type Events = EventIterator | readonly GenerateEvent[];

/** The cost of a request. */
export interface Spent {
  /** Cost of all calls, hedges and failed ones included. */
  readonly nanoDollars: number;
  /** Cost without the calls that were reported to `lost`. */
  readonly answerNanoDollars: number;
  /** Tokens of the answer. */
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
  /** Usage of the answer's own call so far, estimated where the provider has reported none. */
  readonly used: () => Usage;
  /** Whether it was cut and continued: the same request may get another answer. */
  readonly isContinued?: () => boolean;
  /** Up to and with the first content; all events where the caller reads none before the last. */
  readonly head: readonly GenerateEvent[];
  /** From the first event; a list where the caller reads none before the last. */
  readonly events: () => Events;
}

/** @throws SkeinError before the first content; of an answer that is not streamed, before its end. */
export async function execute(execution: Execution, request: GenerateRequest): Promise<Answer> {
  const { model, assignment } = execution;
  const { contextTokens, maxOutputTokens } = model.settings;
  const prompt = promptTokens(request, contextTokens);
  // A large request is read and written in two turns of the event loop.
  if (prompt.most > LARGE_PROMPT) await turn();
  const maxTokens = tokenLimitOf(execution, request);
  const outputTokens = (maxTokens ?? maxOutputTokens) * (request.choices ?? 1);
  const worst = { inputTokens: prompt.most, outputTokens };
  const total = { nanoDollars: 0, answerNanoDollars: 0, usage: NOTHING };
  function spend(nanoDollars: number, answer: Usage | undefined): void {
    total.nanoDollars += nanoDollars;
    if (answer === undefined) return;
    total.answerNanoDollars += nanoDollars;
    total.usage = answer;
  }
  const { expected } = prompt;
  const question = { execution, request, expected, maxTokens, worst, spend };
  const { result, attempts } = await route(execution, prompt, worst, (start) =>
    startCall(question, start),
  );
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
