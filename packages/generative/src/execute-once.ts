/** A call that answers at once, such as for embeddings, over the routes of its model. */
import { SkeinError } from '@skein/api/errors';
import { unlessAborted } from '@skein/api/waits';
import { isUnbilled, linkedTo, NOTHING, openCall } from './call.ts';
import type { Provider, ProviderCall, Usage } from './contract.ts';
import type { Spent } from './execute.ts';
import type { Execution, Start } from './execution.ts';
import { route } from './routing/choose.ts';
import type { Route } from './routing/route.ts';

/**
 * @param inputTokens what is reserved, and what is likely.
 * @throws SkeinError of admission, of money, and of the last provider that was tried.
 */
export async function executeOnce<Result extends { readonly usage: Usage }>(
  execution: Execution,
  inputTokens: { readonly most: number; readonly expected: number },
  run: (provider: Provider, model: string, call: ProviderCall) => Promise<Result>,
): Promise<{ result: Result; route: Route; attempts: number; spent: Omit<Spent, 'usage'> }> {
  const { caller, clock, model } = execution;
  const worst: Usage = { inputTokens: inputTokens.most, outputTokens: 0 };
  let nanoDollars = 0;
  const start = ({ route, longestWaitMs, firstMs, isHurried }: Start) => {
    const { signal, abort, unlink } = linkedTo(caller.signal);
    const content = (async () => {
      const since = clock.now();
      const call = await openCall(execution, { route, longestWaitMs, worst, signal, isHurried });
      const late = new SkeinError(
        'PROVIDER_TIMEOUT',
        `Provider ${route.provider.name}: no answer in ${Math.round(firstMs)} ms.`,
      );
      const deadline = since + firstMs;
      const timer = setTimeout(() => abort(late), Math.max(0, deadline - call.sentAt));
      const expected: Usage = { ...worst, inputTokens: inputTokens.expected };
      const isSent = !signal.aborted;
      try {
        signal.throwIfAborted();
        const bounds = { signal, deadline, gapMs: model.settings.gapMs, hold: caller.hold };
        const answer = run(route.provider, route.settings.model, bounds);
        // A provider that ignores its signal is not awaited.
        const result = await unlessAborted(answer, signal);
        // An input of 0 tokens is no count: the provider did not count it.
        const isCounted = result.usage.inputTokens > 0;
        const usage: Usage = isCounted ? result.usage : { ...expected, isEstimate: true };
        const answerNanoDollars = call.settle(undefined, usage)!;
        nanoDollars += answerNanoDollars;
        return { result: { ...result, usage }, route, answerNanoDollars };
      } catch (error) {
        const usage = !isSent || isUnbilled(error) ? NOTHING : expected;
        const lost = call.settle(error, usage)!;
        nanoDollars += lost;
        // To count tokens costs none.
        if (usage.inputTokens > 0) {
          execution.lost?.({ provider: route.provider.name, nanoDollars: lost, usage });
        }
        throw error;
      } finally {
        clearTimeout(timer);
      }
    })().finally(unlink);
    return { content, cancel: abort };
  };
  const { result, attempts } = await route(execution, inputTokens, worst, start, false);
  const { answerNanoDollars, ...answer } = result;
  return { ...answer, attempts, spent: { nanoDollars, answerNanoDollars } };
}
