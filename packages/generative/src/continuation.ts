/**
 * Continues a streamed answer that was cut, for a caller that has asked for it: the same model
 * gets the text so far and sends the rest.
 *
 *   first part ─ cut ─▶ the prompt and the text so far, to a route of the same model ─▶ the rest
 *
 * Only text is continued: a model that thinks, calls a tool or fills in a schema would begin anew.
 * Without a route that can, or when that fails too, the stream ends with the error of the cut.
 */
import type { GenerateEvent, GenerateRequest, Usage } from './contract.ts';
import { execute, type Answer } from './execute.ts';
import { tokenLimitOf, type Execution } from './execution.ts';
import { NOTHING } from './call.ts';
import { leavable, leave, type EventIterator } from './leavable.ts';
import { fallsBack } from './routing/commit.ts';
import { MOST_CONTINUATIONS } from './tuning.ts';

export function isContinuable(request: GenerateRequest): boolean {
  const { stream, choices = 1, tools = [], toolChoice, format, logprobs } = request;
  const mayCall = tools.length > 0 && toolChoice !== 'none';
  // The log probabilities of a token may have come without its text.
  const isText = (format?.type ?? 'text') === 'text' && logprobs === undefined;
  return stream && choices === 1 && !mayCall && isText;
}

/** The content that the caller has received. */
interface Received {
  text: string;
  /** Undefined: the provider does not name them. */
  tokens: number[] | undefined;
  /** Whether it holds more than text, or is complete. */
  isClosed: boolean;
}

/** @throws SkeinError as `execute` does. */
export async function continued(execution: Execution, request: GenerateRequest): Promise<Answer> {
  const first = await execute(execution, { ...request, isContinuable: true });
  /** The parts in their order; all but the last were cut. */
  const parts: Answer[] = [first];
  const { continuation } = request;
  const received: Received = {
    text: continuation?.text ?? '',
    tokens: continuation === undefined ? [] : undefined,
    isClosed: false,
  };
  const cutUsage = (): Usage =>
    parts
      .slice(0, -1)
      .map((part) => part.used())
      .reduce(sum, NOTHING);

  async function* read(): AsyncGenerator<GenerateEvent, void> {
    for (;;) {
      const part = parts.at(-1)!;
      try {
        for await (const event of part.events()) {
          if (event.type === 'start' && part !== first) continue;
          if (event.type === 'usage') {
            yield { ...event, usage: sum(cutUsage(), event.usage) };
            continue;
          }
          note(received, event);
          if (event.type !== 'text') yield event;
          else {
            const { tokens: _, ...shown } = event;
            yield shown;
          }
        }
        return;
      } catch (error) {
        const isLast = received.isClosed || parts.length > MOST_CONTINUATIONS || !fallsBack(error);
        const next = isLast ? undefined : await goOn(part).catch(() => undefined);
        if (next === undefined) throw error;
        parts.push(next);
      }
    }
  }

  /** Undefined where no route can, or nothing is left of the limit. */
  async function goOn(part: Answer): Promise<Answer | undefined> {
    const { caller, clock } = execution;
    const { provider, settings } = part.route;
    const routes = execution.routes.filter(
      (each) => each.provider.continues === true && each.settings.model === settings.model,
    );
    const limit = tokenLimitOf(execution, request);
    const count = received.tokens?.length ?? sum(cutUsage(), part.used()).outputTokens;
    const maxTokens = limit === undefined ? undefined : limit - count;
    caller.signal.throwIfAborted();
    if (routes.length === 0 || (maxTokens !== undefined && maxTokens < 1)) return undefined;
    const { text, tokens: ids } = received;
    const tokens = ids === undefined ? undefined : { provider: provider.name, ids: [...ids] };
    return execute(
      {
        ...execution,
        routes,
        assignment: undefined,
        until: undefined,
        begun: undefined,
        // The objective of the model holds again, from now on.
        caller: { ...caller, arrivedAt: clock.now(), deadline: undefined },
      },
      { ...request, isContinuable: true, maxTokens, continuation: { text, tokens } },
    );
  }

  return {
    ...first,
    get attempts() {
      return parts.reduce((count, { attempts }) => count + attempts, 0);
    },
    used: () => sum(cutUsage(), parts.at(-1)!.used()),
    spent: () => {
      const spent = parts.map((part) => part.spent());
      return {
        nanoDollars: spent.reduce((amount, part) => amount + part.nanoDollars, 0),
        answerNanoDollars: spent.reduce((amount, part) => amount + part.answerNanoDollars, 0),
        usage: sum(cutUsage(), spent.at(-1)!.usage),
      };
    },
    isContinued: () => parts.length > 1,
    events: () => leavable(read(), () => leave(first.events() as EventIterator)),
  };
}

function note(received: Received, event: GenerateEvent): void {
  switch (event.type) {
    case 'text':
      received.text += event.text;
      if (event.tokens === undefined) received.tokens = undefined;
      else received.tokens?.push(...event.tokens);
      return;
    case 'reasoning':
    case 'tool-call':
    case 'finish':
      received.isClosed = true;
  }
}

function sum(a: Usage, b: Usage): Usage {
  const both = (x = 0, y = 0): number | undefined => x + y || undefined;
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    cachedInputTokens: both(a.cachedInputTokens, b.cachedInputTokens),
    reasoningTokens: both(a.reasoningTokens, b.reasoningTokens),
    isEstimate: a.isEstimate === true || b.isEstimate === true || undefined,
  };
}
