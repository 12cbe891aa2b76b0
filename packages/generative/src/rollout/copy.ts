/**
 * Copies of requests to the new route of a shadow: read to their end, measured, and thrown away.
 *
 * A copy is sent when the caller's own answer has begun, and only where the provider has a free place
 * and the operator's budget is enough: it delays no caller and spends nothing of a caller's budget.
 */
import type { LanguageModel } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { openCall } from '../call.ts';
import type { Caller, GenerateRequest } from '../contract.ts';
import type { Execution } from '../execution.ts';
import { usageOf } from '../streamed-call.ts';
import { checkBoundedRequest } from '../money/bounded-fields.ts';
import { promptTokens } from '../money/price.ts';
import { startAttempt } from '../routing/attempt.ts';
import { COPIES_IN_FLIGHT, DEADLINE_OBJECTIVES } from '../tuning.ts';
import { noteAttempt, type Assignment } from './assign.ts';

export interface Copier {
  /** Returns at once. */
  copy(
    assignment: Assignment,
    request: GenerateRequest,
    caller: Caller,
    settings: LanguageModel,
  ): void;
  /** Ends every copy. */
  close(): Promise<void>;
}

/** The last of five levels. */
const LEAST_URGENT = 5;

export function createCopier(plane: Pick<Execution, 'ledger' | 'clock' | 'random'>): Copier {
  const { clock } = plane;
  const closed = new AbortController();
  const running = new Set<Promise<void>>();

  async function run(
    assignment: Assignment,
    request: GenerateRequest,
    caller: Caller,
    settings: LanguageModel,
  ): Promise<void> {
    const { rollout, candidate: route } = assignment;
    if (plane.ledger.counts('operator')) checkBoundedRequest(request);
    const prompt = promptTokens(request, settings.contextTokens);
    // Bounded, so that the worst case is one.
    const maxTokens = request.maxTokens ?? settings.maxOutputTokens;
    const firstMs = settings.deadlineMs ?? DEADLINE_OBJECTIVES * settings.ttftMs;
    const late = AbortSignal.timeout(firstMs + settings.totalMs);
    const signal = AbortSignal.any([closed.signal, late]);
    const call = await openCall(
      { ...plane, caller: { ...caller, payer: 'operator', priority: LEAST_URGENT } },
      {
        route,
        longestWaitMs: 0,
        worst: { inputTokens: prompt.most, outputTokens: maxTokens * (request.choices ?? 1) },
        signal,
        isHurried: false,
      },
    );
    const attempt = startAttempt(
      route.provider,
      { ...request, model: route.settings.model, maxTokens, stream: true },
      { signal, firstMs, gapMs: settings.gapMs, promptTokens: prompt.expected, clock },
    );
    let ttftMs: number | undefined;
    let error: unknown;
    try {
      await attempt.head;
      ttftMs = clock.now() - call.sentAt;
      route.times.record(ttftMs, attempt.inputTokens ?? prompt.expected);
      await attempt.remaining();
    } catch (thrown) {
      error = thrown;
    }
    rollout.noteCopy(call.settle(error, usageOf(attempt, error)));
    const end = { error, ttftMs, tookMs: clock.now() - call.sentAt, isHurried: false };
    noteAttempt(assignment, route, end, settings.ttftMs);
  }

  return {
    copy(assignment, request, caller, settings) {
      const { rollout, candidate } = assignment;
      if (candidate.closedIn(clock.now(), caller.tenant) > 0) {
        // It has failed until now: one that would have been sent counts as another failure.
        rollout.note('candidate', 'failed', undefined);
        return rollout.noteCopy(undefined);
      }
      const isFull =
        candidate.places.expectedWaitMs(caller.tenant) > 0 || running.size >= COPIES_IN_FLIGHT;
      if (isFull) return rollout.noteCopy(undefined);
      const copy = run(assignment, request, caller, settings)
        // No place, no budget, or a field that may cost more than what is reserved.
        .catch(() => rollout.noteCopy(undefined))
        .finally(() => running.delete(copy));
      running.add(copy);
    },
    async close() {
      closed.abort(new SkeinError('CANCELLED', 'The gateway is closed.'));
      await Promise.all(running);
    },
  };
}
