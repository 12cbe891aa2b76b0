/**
 * Answers similar questions alike, for models whose operator wants it: a gateway around a gateway.
 *
 *   request ─▶ a question? ─▶ its vector ─▶ the nearest answer ─ similar enough ─▶ hit
 *                                              │ no                       └ sometimes: asks the model too
 *                                              ▼
 *                                      the model's answer: kept, and sometimes compared with the nearest
 *
 * How often a hit is false is measured, not assumed: a share of the hits is also sent to the model,
 * paid by the operator, and its answer is compared with the one that was used. The answer of a miss is
 * compared in the same way with the one that a lower threshold would have used. Two answers are the
 * same when their numbers are equal and their vectors are as similar as questions must be; that is an
 * estimate.
 *
 * A cache never fails a request: without a vector in time, the model answers.
 */
import type { GenerativeModel, SemanticCachePolicy } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { unlessAborted } from '@skein/api/waits';
import type {
  Caller,
  Gateway,
  GenerateEvent,
  GenerateRequest,
  Generation,
} from '../../contract.ts';
import type { GatewayOptions } from '../../gateway-options.ts';
import type { Generations } from '../../generation.ts';
import { leavable, leave } from '../../leavable.ts';
import { COMPARISONS_IN_FLIGHT, SEMANTIC_LOOKUP } from '../../tuning.ts';
import { createSemanticCounts, noteComparison, type SemanticCounts } from './counts.ts';
import { numbersOf, questionOf, similarityOf, type Question } from './question.ts';
import { createSimilarAnswers, type Nearest, type SimilarAnswers } from './similar-answers.ts';

interface Cache {
  readonly policy: SemanticCachePolicy;
  readonly counts: SemanticCounts;
  readonly answers: SimilarAnswers;
  /** Longest wait for a vector, in milliseconds; a caller's own deadline may make it shorter. */
  readonly lookupMs: number;
}

type Options = Pick<GatewayOptions, 'embed' | 'semantic'> & {
  readonly generationOf: Generations['generationOf'];
  readonly models: readonly GenerativeModel[];
  readonly clock: { now(): number };
  readonly random: () => number;
};

/** Below this similarity two questions have nothing to do with each other. */
const LEAST_COMPARED = 0.5;

/** Of five levels. */
const LEAST_URGENT = 5;

/** @returns the gateway itself where no model has a semantic cache. */
export function withSemanticCache(gateway: Gateway, options: Options): Gateway {
  const { embed, semantic = createSemanticCounts(), generationOf, clock, random } = options;
  const caches = new Map<string, Cache>();
  for (const { name, semanticCache: policy, ttftMs } of options.models) {
    if (policy === undefined) continue;
    const answers = createSimilarAnswers(policy.freshMs);
    const counts = semantic.of(name);
    counts.threshold = policy.threshold;
    caches.set(name, { policy, counts, answers, lookupMs: ttftMs * SEMANTIC_LOOKUP });
  }
  if (caches.size === 0) return gateway;
  const closed = new AbortController();
  let comparing = 0;

  /** What the node does of its own accord for a caller, whose data goes nowhere else for it. */
  function aside(caller: Caller, signal = closed.signal): Caller {
    const { stickyKey: _, deadline: __, ...rest } = caller;
    return { ...rest, arrivedAt: clock.now(), payer: 'operator', signal };
  }

  async function vectorsOf(
    { policy }: Cache,
    texts: readonly string[],
    own: Caller,
  ): Promise<readonly Float32Array[]> {
    const deployed = embed?.(policy.embeddings);
    if (deployed !== undefined) return (await deployed(texts, own)).vectors;
    return (await gateway.embed({ model: policy.embeddings, inputs: texts }, own)).vectors;
  }

  /** The vector of a question; undefined when there is none in time, or the caller has left. */
  async function lookUp(
    cache: Cache,
    { text }: Question,
    caller: Caller,
  ): Promise<Float32Array | undefined> {
    const ended = new AbortController();
    const end = (): void => ended.abort(new SkeinError('CANCELLED', 'The lookup has ended.'));
    const signal = AbortSignal.any([closed.signal, caller.signal, ended.signal]);
    if (signal.aborted) return undefined;
    const leftMs = (caller.deadline ?? Infinity) - clock.now();
    const timer = setTimeout(end, Math.min(cache.lookupMs, leftMs * SEMANTIC_LOOKUP));
    const vector = vectorsOf(cache, [text], aside(caller, signal)).then(([first]) => first);
    try {
      return await unlessAborted(vector, signal).catch(() => undefined);
    } finally {
      clearTimeout(timer);
      // Frees the embedding model, and the signal of its listeners.
      end();
    }
  }

  async function generate(
    cache: Cache,
    question: Question,
    request: GenerateRequest,
    caller: Caller,
  ): Promise<Generation> {
    const { counts, answers, policy } = cache;
    counts.lookups += 1;
    const same = answers.same(question, clock.now());
    if (same !== undefined) return hit(cache, same, request, caller);
    const vector = await lookUp(cache, question, caller);
    if (vector === undefined && !caller.signal.aborted) counts.failed += 1;
    const nearest = vector && answers.nearest(question, vector, clock.now());
    if (nearest !== undefined && nearest.similarity >= policy.threshold) {
      if (isCompared(policy, nearest)) {
        compare(cache, nearest, () => freshText(request, caller), caller);
      }
      return hit(cache, nearest, request, caller);
    }
    const generation = await gateway.generate(request, caller);
    const ended = (events: readonly GenerateEvent[]): void => {
      const text = wholeText(events);
      if (text === undefined) return;
      if (vector !== undefined && generation.isFromCandidate !== true) {
        answers.keep(
          question.setting,
          { question: question.text, vector, events, text },
          clock.now(),
        );
      }
      if (isCompared(policy, nearest)) compare(cache, nearest, async () => text, caller);
    };
    const { events } = generation;
    return { ...generation, events: leavable(recorded(events, ended), () => leave(events)) };
  }

  function isCompared(
    { compare: share }: SemanticCachePolicy,
    nearest: Nearest | undefined,
  ): nearest is Nearest {
    return nearest !== undefined && nearest.similarity >= LEAST_COMPARED && random() < share;
  }

  function hit(
    cache: Cache,
    { answer, similarity }: Nearest,
    request: GenerateRequest,
    caller: Caller,
  ): Generation {
    cache.counts.hits += 1;
    const source = { cache: 'semantic', events: answer.events, pays: () => false } as const;
    const generation = generationOf(request.model, caller, source);
    const beside = { 'skein-cache-similarity': similarity.toFixed(4) };
    return { ...generation, headers: () => ({ ...generation.headers(), ...beside }) };
  }

  /** The model's own answer, which no caller waits for. */
  async function freshText(request: GenerateRequest, caller: Caller): Promise<string | undefined> {
    const { events } = await gateway.generate(
      { ...request, stream: true },
      { ...aside(caller), priority: LEAST_URGENT },
    );
    const all: GenerateEvent[] = [];
    for await (const event of events) all.push(event);
    return wholeText(all);
  }

  /** Beside the answer to the caller; a comparison that fails says nothing. */
  function compare(
    cache: Cache,
    { answer, similarity }: Nearest,
    fresh: () => Promise<string | undefined>,
    caller: Caller,
  ): void {
    if (comparing >= COMPARISONS_IN_FLIGHT) return;
    comparing += 1;
    void (async () => {
      const text = await fresh();
      if (text === undefined) return;
      const isSame = text === answer.text || (await mean(cache, text, answer.text, caller));
      noteComparison(cache.counts.compared, similarity, isSame);
    })()
      .catch(() => {})
      .finally(() => (comparing -= 1));
  }

  /** Whether two answers say the same, as far as their vectors show. */
  async function mean(cache: Cache, a: string, b: string, caller: Caller): Promise<boolean> {
    if (numbersOf(a) !== numbersOf(b)) return false;
    const [one, other] = await vectorsOf(cache, [a, b], aside(caller));
    return (
      one !== undefined && other !== undefined && similarityOf(one, other) >= cache.policy.threshold
    );
  }

  return {
    ...gateway,
    generate(request, caller) {
      const isOwn = caller.payer === undefined && !closed.signal.aborted;
      const cache = isOwn ? caches.get(request.model) : undefined;
      const question = cache && questionOf(request, caller.tenant);
      if (cache === undefined || question === undefined) return gateway.generate(request, caller);
      return generate(cache, question, request, caller);
    },
    async close() {
      closed.abort(new SkeinError('CANCELLED', 'The gateway is closed.'));
      await gateway.close();
    },
  };
}

async function* recorded(
  events: AsyncIterable<GenerateEvent>,
  ended: (events: readonly GenerateEvent[]) => void,
): AsyncGenerator<GenerateEvent, void> {
  const all: GenerateEvent[] = [];
  for await (const event of events) {
    all.push(event);
    yield event;
  }
  ended(all);
}

/** Of an answer that may be repeated: text alone, which the model has ended by itself. */
function wholeText(events: readonly GenerateEvent[]): string | undefined {
  let text = '';
  for (const event of events) {
    if (event.type === 'text') text += event.text;
    else if (event.type === 'finish' && event.reason !== 'stop') return undefined;
    else if (event.type === 'tool-call' || event.type === 'logprobs') return undefined;
  }
  return text.trim() === '' ? undefined : text;
}
