/** An answer from its rows, one for each choice, whichever engine runs them. */
import { randomInt } from 'node:crypto';
import type { GenerateEvent, GenerateRequest, Sampling, TokenLogprob } from '../contract.ts';
import { about, FieldError } from '../field-error.ts';
import type { AnswerForm } from './answer-form.ts';
import type { RowEvent, RowRequest, TokenScore } from './engine/row.ts';
import type { ScoredToken } from './engine/sampler.ts';
import type { Sequence } from './grammar/json-text.ts';
import { maskOf, type TokenTrie } from './grammar/token-mask.ts';
import type { TokenTable } from './model/vocabulary.ts';

const MAX_STOPS = 64;
const MAX_STOP_LENGTH = 1024;
const DEFAULT_MAX_TOKENS = 4096;

/** The parts of a model that rows need. */
export interface RowModel {
  /** @throws SkeinError GENERATION_UNSUPPORTED, CONTEXT_TOO_LONG. */
  promptOf(request: GenerateRequest): number[];
  readonly vocabulary: TokenTable;
  /** Tokens that end an answer. */
  readonly ends: ReadonlySet<number>;
  /** Defaults from the model's own files. */
  readonly defaults: Sampling;
  /** Made when a grammar first needs it: over a large vocabulary that takes a while. */
  readonly trie: () => TokenTrie;
}

/**
 * @param generate starts a row.
 * @throws FieldError PROVIDER_REJECTED for an empty prompt, GENERATION_UNSUPPORTED, CONTEXT_TOO_LONG.
 */
export async function* answerOfRows(
  model: RowModel,
  request: GenerateRequest,
  form: AnswerForm,
  generate: (row: RowRequest) => AsyncGenerator<RowEvent, void>,
): AsyncGenerator<GenerateEvent, void> {
  const prompt = about(promptField(request), () => model.promptOf(request));
  if (prompt.length === 0) {
    throw new FieldError(
      promptField(request),
      'The prompt is empty, and the model has no token that begins a text.',
      'PROVIDER_REJECTED',
    );
  }
  const rows = Array.from({ length: request.choices ?? 1 }, (_, choice) =>
    generate(rowOf(model, request, prompt, form.grammar, choice)),
  );
  const readers = rows.map((_, choice) => form.read(choice));
  /** Tokens whose text has not been shown yet. */
  const unnamed: number[] = [];
  let inputTokens = prompt.length;
  let outputTokens = 0;
  let cachedInputTokens = 0;
  for await (const [choice, event] of merged(rows)) {
    const at = choice === 0 ? {} : { choice };
    const { text, scores, end } = event;
    if (scores !== undefined) {
      yield {
        type: 'logprobs',
        tokens: scores.map((score) => logprobOf(model.vocabulary, score)),
        ...at,
      };
    }
    if (event.token !== undefined) unnamed.push(event.token);
    for (const shown of readers[choice]!(text, end?.reason)) {
      if (shown.type !== 'text' || request.isContinuable !== true) yield shown;
      else yield { ...shown, tokens: unnamed.splice(0) };
    }
    if (end === undefined) continue;
    inputTokens = end.promptTokens;
    outputTokens += end.answerTokens;
    cachedInputTokens += end.cachedTokens;
  }
  yield { type: 'usage', usage: { inputTokens, outputTokens, cachedInputTokens } };
}

function rowOf(
  { defaults, ends, trie }: RowModel,
  request: GenerateRequest,
  prompt: readonly number[],
  grammar: Sequence | undefined,
  choice: number,
): RowRequest {
  const { sampling = {}, stop = [], logprobs } = request;
  const begun = request.continuation?.tokens?.ids ?? [];
  const { maxTokens = Math.max(1, DEFAULT_MAX_TOKENS - begun.length) } = request;
  if (stop.length > MAX_STOPS || stop.some(({ length }) => length > MAX_STOP_LENGTH)) {
    throw new FieldError(
      'stop',
      `A request has up to ${MAX_STOPS} stop strings of ${MAX_STOP_LENGTH} characters.`,
      'GENERATION_UNSUPPORTED',
    );
  }
  if (sampling.repetitionPenalty === 0) {
    const text = 'The repetition penalty must be above 0: logits are divided by it.';
    throw new FieldError('repetition_penalty', text, 'GENERATION_UNSUPPORTED');
  }
  const seed = sampling.seed ?? randomInt(2 ** 32);
  return {
    prompt,
    begun,
    maxTokens,
    stop,
    logprobs,
    mask: grammar && about(formField(request), () => maskOf(grammar, trie(), ends)),
    sampling: {
      ...sampling,
      temperature: sampling.temperature ?? defaults.temperature ?? 1,
      topK: sampling.topK ?? defaults.topK,
      topP: sampling.topP ?? defaults.topP,
      repetitionPenalty: sampling.repetitionPenalty ?? defaults.repetitionPenalty,
      seed: seed + choice,
    },
  };
}

const promptField = ({ prompt }: GenerateRequest): string =>
  prompt === undefined ? 'messages' : 'prompt';

const formField = ({ format }: GenerateRequest): string =>
  format === undefined || format.type === 'text' ? 'tools' : 'response_format';

function logprobOf(vocabulary: TokenTable, { top, ...score }: TokenScore): TokenLogprob {
  return { ...named(vocabulary, score), top: top.map((each) => named(vocabulary, each)) };
}

function named(vocabulary: TokenTable, { token, logprob }: ScoredToken) {
  const bytes = vocabulary.bytes(token);
  return { token: new TextDecoder().decode(bytes), logprob, bytes: [...bytes] };
}

/** The events of several rows as they come, with the number of their row. */
async function* merged(
  rows: readonly AsyncGenerator<RowEvent, void>[],
): AsyncGenerator<[number, RowEvent], void> {
  type Result = readonly [number, IteratorResult<RowEvent, void>];
  const next = async (i: number): Promise<Result> => [i, await rows[i]!.next()];
  const waiting = new Map(rows.map((_, i) => [i, next(i)]));
  try {
    while (waiting.size > 0) {
      const [i, result] = await Promise.race(waiting.values());
      if (result.done === true) {
        waiting.delete(i);
        continue;
      }
      waiting.set(i, next(i));
      yield [i, result.value];
    }
  } finally {
    for (const promise of waiting.values()) promise.catch(() => undefined);
    await Promise.all(rows.map((row) => row.return()));
  }
}
