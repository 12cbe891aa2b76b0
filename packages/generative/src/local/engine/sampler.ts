/**
 * Chooses the next token from logits. Hugging Face's generation and llama.cpp take the same steps in
 * the same order: penalties, mask, temperature, top-k, top-p, min-p, draw.
 */
import { seededRandom, type Random } from '@skein/onnx';
import type { Sampling } from '../../contract.ts';

/**
 * `repetitionPenalty` divides the logits of tokens that occurred, prompt included (CTRL, Keskar et
 * al., 2019). `frequencyPenalty` is subtracted per occurrence in the answer, `presencePenalty` once
 * from each token that occurs in the answer.
 */
export interface SamplingOptions extends Sampling {
  /** 0: always the most probable token. */
  readonly temperature: number;
  readonly seed: number;
}

export class Sampler {
  readonly #options: SamplingOptions;
  readonly #random: Random;
  readonly #seen: Set<number>;
  readonly #counts = new Map<number, number>();

  constructor(options: SamplingOptions, prompt: readonly number[]) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#seen = new Set(prompt);
  }

  /**
   * The next token; it counts as an occurrence. Changes the logits.
   * @param allowed tokens that may be chosen; all when absent.
   */
  next(logits: Float32Array, allowed?: Uint8Array): number {
    this.#penalise(logits);
    if (allowed !== undefined) {
      for (let i = 0; i < logits.length; i++) if (allowed[i] !== 1) logits[i] = -Infinity;
    }
    const token = this.#options.temperature === 0 ? argmax(logits) : this.#draw(logits);
    this.#count(token);
    return token;
  }

  /** Counts a token that was chosen before, by a sampler of the same seed. */
  accept(token: number): void {
    if (this.#options.temperature !== 0) this.#random.next();
    this.#count(token);
  }

  #count(token: number): void {
    this.#seen.add(token);
    this.#counts.set(token, (this.#counts.get(token) ?? 0) + 1);
  }

  #penalise(logits: Float32Array): void {
    const { repetitionPenalty = 1, frequencyPenalty = 0, presencePenalty = 0 } = this.#options;
    if (repetitionPenalty !== 1) {
      for (const token of this.#seen) {
        const value = logits[token]!;
        logits[token] = value > 0 ? value / repetitionPenalty : value * repetitionPenalty;
      }
    }
    if (frequencyPenalty === 0 && presencePenalty === 0) return;
    for (const [token, count] of this.#counts) {
      logits[token]! -= frequencyPenalty * count + presencePenalty;
    }
  }

  #draw(logits: Float32Array): number {
    const { temperature, topK = 0, topP = 1, minP = 0 } = this.#options;
    const most = logits[argmax(logits)]!;
    // e^-20 of the most probable token: together, tokens below have less than 1e-4 of the mass.
    const far = most - 20 * temperature;
    const near = minP > 0 ? Math.max(far, most + Math.log(minP) * temperature) : far;
    // Top-p is a share of all that top-k leaves, so that min-p waits for it; with top-k alone the order is the same.
    const floor = topP < 1 ? far : near;
    const tokens: number[] = [];
    for (let i = 0; i < logits.length; i++) if (logits[i]! >= floor) tokens.push(i);
    const limited = topK > 0 && topK < tokens.length;
    if (limited || topP < 1) tokens.sort((a, b) => logits[b]! - logits[a]! || a - b);
    if (limited) tokens.length = topK;
    const weights = tokens.map((token) => Math.exp((logits[token]! - most) / temperature));
    let total = sumOf(weights);
    if (topP < 1) {
      let sum = 0;
      let count = 0;
      while (count < weights.length && sum < topP * total) sum += weights[count++]!;
      weights.length = Math.max(1, count);
      while (weights.length > 1 && logits[tokens[weights.length - 1]!]! < near) weights.pop();
      total = sumOf(weights);
    }
    let rest = this.#random.next() * total;
    for (const [i, weight] of weights.entries()) {
      rest -= weight;
      if (rest < 0) return tokens[i]!;
    }
    return tokens[weights.length - 1]!;
  }
}

function sumOf(weights: readonly number[]): number {
  return weights.reduce((sum, weight) => sum + weight, 0);
}

/** The first of the largest. */
export function argmax(values: Float32Array): number {
  let best = 0;
  let most = values[0]!;
  for (let i = 1; i < values.length; i++) {
    if (values[i]! > most) {
      most = values[i]!;
      best = i;
    }
  }
  return best;
}

export interface ScoredToken {
  readonly token: number;
  /** Natural logarithm of its probability. */
  readonly logprob: number;
}

/** The `count` most probable tokens, best first, and the scores of others on demand. */
export function logprobsOf(
  logits: Float32Array,
  count: number,
): { of(token: number): number; top: readonly ScoredToken[] } {
  let most = -Infinity;
  for (const value of logits) if (value > most) most = value;
  let sum = 0;
  for (const value of logits) sum += Math.exp(value - most);
  const normaliser = most + Math.log(sum);
  const best: number[] = [];
  for (let token = 0; count > 0 && token < logits.length; token++) {
    if (best.length === count && logits[token]! <= logits[best.at(-1)!]!) continue;
    let at = best.length;
    while (at > 0 && logits[best[at - 1]!]! < logits[token]!) at--;
    best.splice(at, 0, token);
    if (best.length > count) best.pop();
  }
  const of = (token: number): number => logits[token]! - normaliser;
  // Taken now: the sampler changes the logits.
  const all = Float32Array.from(logits);
  return {
    of: (token) => all[token]! - normaliser,
    top: best.map((token) => ({ token, logprob: of(token) })),
  };
}
