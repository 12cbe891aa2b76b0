/** An answer as its caller gets it, with its headers and its receipt. The observer is called once, at its end. */
import { SkeinError } from '@skein/api/errors';
import { NOTHING } from './call.ts';
import type { Caller, GenerateEvent, Generation, Receipt } from './contract.ts';
import type { Answer, Events, Spent } from './execute.ts';
import type { GatewayOptions } from './gateway-options.ts';
import { leavable, leave } from './leavable.ts';
import { NANO_DOLLARS, usdText } from './money/price.ts';

/** Where the events of a caller come from. */
export interface Source {
  /** Absent: from the cache. */
  readonly answer?: Answer | undefined;
  readonly cache: Receipt['cache'];
  readonly events: Events;
  /** Whether the cost is on its receipt. */
  readonly pays: () => boolean;
}

const FREE: Spent = { nanoDollars: 0, answerNanoDollars: 0, usage: NOTHING };

type Options = Pick<GatewayOptions, 'observe'> & { readonly clock: { now(): number } };

export function createGenerations({ observe = () => {}, clock }: Options) {
  function report(
    model: string,
    caller: Caller,
    receipt: Receipt | undefined,
    error: unknown,
  ): void {
    const { requestId, tenant, key, payer, arrivedAt } = caller;
    observe({
      caller: { requestId, tenant, key, payer },
      model,
      receipt,
      ...(error === undefined
        ? {}
        : { error: error instanceof SkeinError ? error.code : 'INTERNAL' }),
      durationMs: clock.now() - arrivedAt,
    });
  }

  function generationOf(model: string, caller: Caller, source: Source): Generation {
    const { answer, cache, pays } = source;
    const { signal } = caller;
    const provider = answer?.route.settings.provider;
    const ttftMs = Math.max(0, (answer?.firstAt ?? clock.now()) - caller.arrivedAt);
    let receipt: Receipt | undefined;
    let hasBegun = false;

    function end(error: unknown): void {
      signal.removeEventListener('abort', aborted);
      if (receipt !== undefined) return;
      const isPayer = pays();
      const { nanoDollars, answerNanoDollars, usage } = answer?.spent() ?? FREE;
      receipt = {
        provider,
        model,
        usage,
        costUsd: isPayer ? nanoDollars / NANO_DOLLARS : 0,
        answerUsd: isPayer ? answerNanoDollars / NANO_DOLLARS : 0,
        cache,
        attempts: isPayer ? (answer?.attempts ?? 0) : 0,
        ttftMs,
      };
      report(model, caller, receipt, error);
    }
    const unread = (): SkeinError =>
      new SkeinError('CANCELLED', 'The answer was not read to its end.');

    async function* read(): AsyncGenerator<GenerateEvent, void> {
      hasBegun = true;
      let isDone = false;
      let error: unknown;
      try {
        if (Symbol.asyncIterator in source.events) yield* source.events;
        else for (const event of source.events) yield event;
        isDone = true;
      } catch (thrown) {
        error = thrown;
        throw thrown;
      } finally {
        end(isDone ? undefined : (error ?? unread()));
      }
    }
    const events = leavable(read(), () => {
      if (Symbol.asyncIterator in source.events) leave(source.events);
      end(unread());
    });
    /** A caller that has gone may never ask for the first event. */
    function aborted(): void {
      if (!hasBegun) end(signal.reason);
    }
    if (signal.aborted) aborted();
    else signal.addEventListener('abort', aborted, { once: true });

    return {
      provider,
      isFromCandidate: answer?.isFromCandidate,
      events,
      headers() {
        return {
          ...(provider === undefined ? {} : { 'skein-provider': provider }),
          'skein-cache': cache,
          'skein-attempts': String(cache === 'miss' ? (answer?.attempts ?? 0) : 0),
          ...(receipt === undefined && cache === 'miss'
            ? { 'skein-cost-limit-usd': usdText((answer?.worst ?? 0) / NANO_DOLLARS) }
            : { 'skein-cost-usd': usdText(receipt?.costUsd ?? 0) }),
        };
      },
      receipt: () => receipt,
    };
  }
  return { generationOf, report };
}
