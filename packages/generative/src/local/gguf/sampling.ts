/** Two ways to an answer of a GGUF model: llama.cpp chooses the tokens, or Skein does from their probabilities. */
import { Row, type RowEvent, type RowRequest } from '../engine/row.ts';
import type { SamplingOptions } from '../engine/sampler.ts';
import { TextStream } from '../engine/text-stream.ts';
import type { RowModel } from '../row-answer.ts';
import type { LlamaModel, LlamaSequence } from './llama.ts';

interface Place {
  readonly sequence: LlamaSequence;
  readonly contextSize: number;
}

/** Only the tokens leave the engine. */
export async function* sampledByLlama(
  { model, sequence, contextSize }: Place & { readonly model: LlamaModel },
  { prompt, begun = [], maxTokens, sampling, stop }: RowRequest,
  signal: AbortSignal,
): AsyncGenerator<RowEvent, void> {
  const given = [...prompt, ...begun];
  const limit = Math.min(given.length + maxTokens, contextSize);
  const text = new TextStream(stop);
  const utf8 = new TextEncoder();
  const answer = [...begun];
  let shown = model.detokenize(answer, false, prompt);
  text.push(utf8.encode(shown));
  const evaluated = sequence.evaluate(given, {
    temperature: sampling.temperature,
    topK: sampling.topK ?? 0,
    topP: sampling.topP ?? 1,
    minP: sampling.minP ?? 0,
    seed: sampling.seed,
    repeatPenalty: repeatOf(sampling, prompt, answer),
  });
  let reason: 'stop' | 'length' = 'stop';
  for await (const token of evaluated) {
    signal.throwIfAborted();
    answer.push(token);
    const isLast = prompt.length + answer.length >= limit;
    const whole = model.detokenize(answer, false, prompt);
    // A character whose bytes are not all there ends in U+FFFD, and waits.
    const isWaiting = whole.endsWith('\uFFFD') && !isLast;
    yield { text: isWaiting ? '' : text.push(utf8.encode(whole.slice(shown.length))), token };
    if (!isWaiting) shown = whole;
    if (text.stopped) break;
    if (isLast) {
      reason = 'length';
      break;
    }
  }
  const end = {
    reason,
    promptTokens: given.length,
    cachedTokens: 0,
    answerTokens: answer.length - begun.length,
  };
  yield { text: text.end(), end };
}

/**
 * The options of llama.cpp's penalties. It has one list of tokens for all three; the prompt is on it for the
 * repetition penalty, unless another penalty would count its tokens too.
 */
function repeatOf(sampling: SamplingOptions, prompt: readonly number[], answer: readonly number[]) {
  const { repetitionPenalty: penalty = 1, frequencyPenalty = 0, presencePenalty = 0 } = sampling;
  if (penalty === 1 && frequencyPenalty === 0 && presencePenalty === 0) return false;
  const before = frequencyPenalty === 0 && presencePenalty === 0 ? prompt : [];
  const punishTokens = () => [...before, ...answer];
  return { penalty, frequencyPenalty, presencePenalty, punishTokens };
}

/** Probabilities leave the engine, and the sampler and the masks of ONNX models choose the tokens. */
export async function* sampledHere(
  { sequence, contextSize }: Place,
  { vocabulary, ends }: Pick<RowModel, 'vocabulary' | 'ends'>,
  request: RowRequest,
  signal: AbortSignal,
): AsyncGenerator<RowEvent, void> {
  const events: RowEvent[] = [];
  const bounds = { ends, context: contextSize };
  const row = new Row(request, vocabulary, bounds, (event) => events.push(event));
  let fresh = row.tokens;
  for (;;) {
    const logits = await logitsAfter(sequence, fresh, request, vocabulary.size);
    signal.throwIfAborted();
    const hasEnded = row.take(logits);
    yield* events.splice(0);
    if (hasEnded) return;
    fresh = row.tokens.slice(-1);
  }
}

/** Logit of a token without a probability. The logarithms of positive 32-bit floats are above -104. */
const LEAST_LOGIT = -200;
/** How far below the most probable token, in logits at temperature 1, a token is not worth a draw. */
const FAR = 20;

/**
 * The logits of the token that follows these, less a constant. The logits of a whole vocabulary take tens of
 * milliseconds to fetch, so only tokens that may be drawn are fetched, unless the request needs all.
 */
async function logitsAfter(
  sequence: LlamaSequence,
  tokens: readonly number[],
  { sampling, logprobs, mask }: RowRequest,
  size: number,
): Promise<Float32Array> {
  const needsAll = logprobs !== undefined || repeatOf(sampling, [], []) !== false;
  const far = FAR * Math.max(1, sampling.temperature);
  const probable = await probabilitiesAfter(sequence, tokens, needsAll ? 0 : Math.exp(-far));
  if (needsAll || mask === undefined) return logitsOf(probable, size);
  const allowed = mask.allowed();
  const [most = 0] = probable.values();
  // If an allowed token is so near to the most probable one, every token that may be drawn was fetched with it.
  for (const [token, each] of probable) {
    if (allowed[token] === 1 && each > most * Math.exp(-far / 2)) return logitsOf(probable, size);
  }
  const { nextTokenIndex: end } = sequence;
  await sequence.eraseContextTokenRanges([{ start: end - 1, end }]);
  return logitsOf(await probabilitiesAfter(sequence, tokens.slice(-1), 0), size);
}

/** @param minP tokens with less than this share of the most probable token's probability are left out. */
async function probabilitiesAfter(
  sequence: LlamaSequence,
  tokens: readonly number[],
  minP: number,
): Promise<ReadonlyMap<number, number>> {
  const options = { temperature: 1, topK: 0, topP: 1, minP };
  const last = [tokens.at(-1)!, { generateNext: { probabilities: true, options } }] as const;
  const outputs = await sequence.controlledEvaluate([...tokens.slice(0, -1), [...last]]);
  return outputs.at(-1)!.next.probabilities!;
}

function logitsOf(probabilities: ReadonlyMap<number, number>, size: number): Float32Array {
  const logits = new Float32Array(size).fill(LEAST_LOGIT);
  for (const [token, probability] of probabilities) {
    if (probability > 0) logits[token] = Math.log(probability);
  }
  return logits;
}
