/**
 * One call to a provider, held to its bounds: the first content by the deadline, each later event
 * within the gap, and a `finish` of each choice before the end. A provider that ignores its signal
 * is late all the same: what it does after that is not awaited.
 */
import { SkeinError } from '@skein/api/errors';
import type { GenerateEvent, GenerateRequest, Hold, Provider, Usage } from '../contract.ts';
import { BYTES_PER_TOKEN } from '../money/price.ts';
import { upstreamError } from '../wire/upstream-error.ts';

export interface AttemptBounds {
  /** The caller's. */
  readonly signal: AbortSignal;
  /** Longest wait for the first content, in milliseconds. */
  readonly firstMs: number;
  readonly gapMs: number;
  readonly hold?: Hold | undefined;
  /** Expected tokens of the request's prompt. */
  readonly promptTokens: number;
  readonly clock: { now(): number };
}

export interface Attempt {
  /** Events up to and with the first content. Rejects when there is none by the deadline. */
  readonly head: Promise<readonly GenerateEvent[]>;
  /** The events after the head. Read once, by one of the two. */
  rest(): AsyncGenerator<GenerateEvent>;
  /** The same at once, for a caller that reads none before the last: cheaper than one by one. */
  remaining(): Promise<readonly GenerateEvent[]>;
  cancel(reason: Error): void;
  /** Usage so far; estimated where the provider has reported none, or 0 for an unknown count. */
  used(): Usage;
  /** Tokens of the prompt, where the provider has reported them. */
  readonly inputTokens: number | undefined;
  /** Characters of content so far. */
  readonly characters: number;
}

export function startAttempt(
  provider: Provider,
  request: GenerateRequest,
  bounds: AttemptBounds,
): Attempt {
  const { signal, firstMs, gapMs, hold, promptTokens, clock } = bounds;
  const { choices = 1 } = request;
  const controller = new AbortController();
  const call = { signal: controller.signal, deadline: clock.now() + firstMs, gapMs, hold };
  const source = provider.generate(request, call)[Symbol.asyncIterator]();
  let failure: Error | undefined;
  let rejectAwaited: (error: Error) => void = () => {};
  /** Usage in the provider's last report, and in the last one that the reader got. */
  let usage: Usage | undefined;
  let shown: Usage | undefined;
  let characters = 0;
  const finished = new Set<number>();

  function cancel(reason: Error): void {
    if (failure !== undefined) return;
    failure = reason;
    signal.removeEventListener('abort', abort);
    controller.abort(reason);
    rejectAwaited(reason);
    // One that has sent an event and waits to be asked for the next does not look at its signal.
    source.return?.().catch(() => {});
  }
  const abort = (): void =>
    cancel(
      signal.reason instanceof Error
        ? signal.reason
        : new SkeinError('CANCELLED', 'The caller has gone.'),
    );
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });

  const late = (what: string, ms: number): SkeinError =>
    upstreamError('PROVIDER_TIMEOUT', {
      provider: provider.name,
      message: `no ${what} in ${Math.round(ms)} ms.`,
    });

  /** Undefined at the end. */
  async function next(): Promise<GenerateEvent | undefined> {
    if (failure !== undefined) throw failure;
    const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<GenerateEvent>>();
    rejectAwaited = reject;
    source.next().then(resolve, reject);
    const step = await promise;
    if (step.done !== true) {
      note(step.value);
      if (step.value.type !== 'usage') return step.value;
      return { ...step.value, usage: (shown = used()) };
    }
    signal.removeEventListener('abort', abort);
    if (finished.size < choices) {
      throw upstreamError('PROVIDER_CUT', {
        provider: provider.name,
        message:
          choices === 1
            ? 'its answer ended without a finish reason.'
            : `it finished ${finished.size} of ${choices} answers.`,
      });
    }
    if (shown === undefined || shown.outputTokens === used().outputTokens) return undefined;
    // Content has arrived since the last report.
    return { type: 'usage', usage: (shown = used()) };
  }

  function used(): Usage {
    const { inputTokens = 0, outputTokens = 0, reasoningTokens = 0 } = usage ?? {};
    if (usage !== undefined && inputTokens > 0 && (outputTokens > 0 || characters === 0))
      return usage;
    return {
      ...usage,
      inputTokens: inputTokens || promptTokens,
      outputTokens: outputTokens || Math.max(reasoningTokens, tokensOf(characters)),
      isEstimate: true,
    };
  }

  function note(event: GenerateEvent): void {
    if (event.type === 'start') return;
    if (event.type === 'usage') {
      usage = event.usage;
      return;
    }
    const { choice = 0 } = event;
    if (choice >= choices) {
      throw upstreamError('PROVIDER_FAILED', {
        provider: provider.name,
        message: `it sent answer ${choice}, of ${choices} that were asked for.`,
      });
    }
    if (event.type === 'finish') return void finished.add(choice);
    if (event.type === 'logprobs') return;
    characters += event.type === 'tool-call' ? event.arguments.length : event.text.length;
    // The choice continues, so a finish is missing again.
    finished.delete(choice);
  }

  async function readHead(): Promise<GenerateEvent[]> {
    const timer = setTimeout(() => cancel(late('first token', firstMs)), Math.max(0, firstMs));
    const events: GenerateEvent[] = [];
    try {
      for (;;) {
        const event = await next();
        if (event === undefined) return events;
        events.push(event);
        if (isContent(event)) return events;
      }
    } catch (error) {
      throw ended(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Frees the provider, and turns what is no coded error into one. */
  function ended(error: unknown): Error {
    const known =
      failure ??
      (error instanceof SkeinError
        ? error
        : upstreamError('PROVIDER_FAILED', { provider: provider.name, message: 'it failed.' }));
    cancel(known);
    return known;
  }

  /** `next`, held to the gap. */
  function untilGap() {
    let waitingSince = Infinity;
    // One timer for the whole stream: a timer for each token would cost more than the token.
    const check = (): void => {
      const waitedMs = clock.now() - waitingSince;
      if (waitedMs >= gapMs) return cancel(late('next token', gapMs));
      timer = setTimeout(check, waitingSince === Infinity ? gapMs : gapMs - waitedMs + 1);
    };
    let timer = setTimeout(check, gapMs);
    return {
      async next(): Promise<GenerateEvent | undefined> {
        waitingSince = clock.now();
        const event = await next();
        // A slow reader's time does not count.
        waitingSince = Infinity;
        return event;
      },
      stop: () => clearTimeout(timer),
    };
  }

  async function remaining(): Promise<GenerateEvent[]> {
    const events: GenerateEvent[] = [];
    const bounded = untilGap();
    try {
      for (;;) {
        const before = characters;
        const event = await bounded.next();
        if (event === undefined) return events;
        hold?.(EVENT_BYTES + 2 * (characters - before));
        events.push(event);
      }
    } catch (error) {
      throw ended(error);
    } finally {
      bounded.stop();
    }
  }

  async function* rest(): AsyncGenerator<GenerateEvent> {
    let isDone = false;
    const bounded = untilGap();
    try {
      for (;;) {
        const event = await bounded.next();
        if (event === undefined) break;
        yield event;
      }
      isDone = true;
    } catch (error) {
      isDone = true;
      throw ended(error);
    } finally {
      bounded.stop();
      if (!isDone) cancel(new SkeinError('CANCELLED', 'The answer was not read to its end.'));
    }
  }

  const head = readHead();
  head.catch(() => {});
  return {
    head,
    rest,
    remaining,
    cancel,
    used,
    get inputTokens() {
      return usage?.inputTokens || undefined;
    },
    get characters() {
      return characters;
    },
  };
}

/** Memory of an event without its text, with Node 24. */
const EVENT_BYTES = 200;

const tokensOf = (characters: number): number => Math.ceil(characters / BYTES_PER_TOKEN);

/** Whether the caller gets something from it: the gateway commits to a provider at the first one. */
function isContent(event: GenerateEvent): boolean {
  switch (event.type) {
    case 'text':
    case 'reasoning':
      return event.text !== '';
    case 'tool-call':
    case 'finish':
      return true;
    default:
      return false;
  }
}
