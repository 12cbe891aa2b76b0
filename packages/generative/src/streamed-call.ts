/** One call for an answer in events: from its place at the provider to what it has cost. */
import { SkeinError } from '@skein/api/errors';
import type { Instant } from '@skein/serving';
import { isUnbilled, linkedTo, NOTHING, openCall } from './call.ts';
import type { GenerateEvent, GenerateRequest, Provider, Usage } from './contract.ts';
import type { Execution, Start } from './execution.ts';
import { noteAttempt } from './rollout/assign.ts';
import { startAttempt, type Attempt } from './routing/attempt.ts';
import type { Running } from './routing/commit.ts';
import type { Route } from './routing/route.ts';

/** The request to each route of the model. */
export interface Question {
  readonly execution: Execution;
  readonly request: GenerateRequest;
  /** Tokens of the prompt that are likely. */
  readonly expected: number;
  readonly maxTokens: number | undefined;
  /** Tokens at most. */
  readonly worst: Usage;
  /** Called once with the cost of each call, and with its usage if it is the answer. */
  readonly spend: (nanoDollars: number, answer: Usage | undefined) => void;
}

/** A call whose first content has come. */
export interface Won {
  readonly route: Route;
  readonly attempt: Attempt;
  readonly head: readonly GenerateEvent[];
  readonly firstAt: Instant;
  /** Worst case of the call, in nano-dollars. */
  readonly worst: number;
  /** Ends the call: gives its place back and settles its worst case. */
  readonly settle: (error: unknown) => void;
}

export function startCall(question: Question, start: Start): Running<Won> {
  const { execution, request, expected, worst } = question;
  const { model, caller, clock, assignment } = execution;
  const { settings } = model;
  const { route, longestWaitMs, firstMs, isHurried } = start;
  const { signal, abort, unlink } = linkedTo(caller.signal);
  const begun = Promise.withResolvers<void>();
  const since = clock.now();
  let firstAt: number | undefined;
  let isOvertaken = false;
  /** Whether the caller reads it: the answer may still be cut, or left. */
  let isRead = false;

  function note(error: unknown): void {
    const ttftMs = firstAt === undefined ? undefined : firstAt - since;
    const end = { error, ttftMs, tookMs: clock.now() - since, isHurried };
    noteAttempt(assignment, route, end, settings.ttftMs);
  }

  async function run(): Promise<Won> {
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
        maxTokens: question.maxTokens,
        continuation: continuationFor(route.provider, request),
      },
      {
        signal,
        firstMs: firstMs - (sentAt - since),
        gapMs: settings.gapMs,
        hold: execution.caller.hold,
        promptTokens: expected,
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
      // The caller reads what its own answer took, also of one that is cut.
      const isAnswer = error === undefined || isRead;
      question.spend(nanoDollars, isAnswer ? usage : undefined);
      if (!isAnswer && usage !== NOTHING) {
        execution.lost?.({ provider: route.provider.name, nanoDollars, usage });
      }
    };
    const leave = (): void => settle(signal.reason);
    try {
      const head = await attempt.head;
      // A listener on a signal that has aborted since would never be called.
      signal.throwIfAborted();
      firstAt = clock.now();
      begun.resolve();
      execution.begun?.();
      route.times.record(firstAt - sentAt, attempt.inputTokens ?? expected);
      // A caller that goes before it has read anything would hold the place for good.
      signal.addEventListener('abort', leave, { once: true });
      const all = request.stream ? head : await collect(head, attempt, settings.totalMs);
      // It may have been left, and settled so, with its last event.
      signal.throwIfAborted();
      if (!request.stream) settle(undefined);
      isRead = true;
      return { route, attempt, head: all, firstAt, worst: call.worst, settle };
    } catch (error) {
      // One that a faster provider has overtaken was at least as slow as this.
      if (isOvertaken) route.times.record(clock.now() - sentAt, expected);
      settle(error);
      throw error;
    }
  }

  return {
    content: run(),
    begun: begun.promise,
    cancel(reason) {
      isOvertaken = true;
      abort(reason);
    },
  };
}

/** Tokens are words of the provider that has named them. */
function continuationFor({ name }: Provider, { continuation }: GenerateRequest) {
  return continuation?.tokens === undefined || continuation.tokens.provider === name
    ? continuation
    : { text: continuation.text };
}

async function collect(
  head: readonly GenerateEvent[],
  attempt: Attempt,
  totalMs: number,
): Promise<readonly GenerateEvent[]> {
  const timer = setTimeout(
    () =>
      attempt.cancel(
        new SkeinError('PROVIDER_TIMEOUT', `The answer took more than ${totalMs} ms.`),
      ),
    totalMs,
  );
  try {
    return [...head, ...(await attempt.remaining())];
  } finally {
    clearTimeout(timer);
  }
}

/** Usage of an attempt: nothing that is billed, where its provider refused it. */
export function usageOf(attempt: Attempt, error: unknown): Usage {
  return attempt.characters === 0 && isUnbilled(error) ? NOTHING : attempt.used();
}
