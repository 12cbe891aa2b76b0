/** One answer: its tokens, its sampler, its text, and when it ends. */
import type { TokenTable } from '../model/vocabulary.ts';
import { logprobsOf, Sampler, type SamplingOptions, type ScoredToken } from './sampler.ts';
import { TextStream } from './text-stream.ts';

/** Which tokens may follow; `accept` moves on. */
export interface TokenMask {
  /** 1 for each token that may follow. */
  allowed(): Uint8Array;
  accept(token: number): void;
}

export interface RowRequest {
  readonly prompt: readonly number[];
  /** The beginning of the answer, which an earlier request generated. */
  readonly begun?: readonly number[] | undefined;
  /** Most tokens to generate, `begun` excluded. */
  readonly maxTokens: number;
  readonly sampling: SamplingOptions;
  readonly stop: readonly string[];
  /** Alternatives per token to report; absent: none, and no log probabilities. */
  readonly logprobs?: number | undefined;
  readonly mask?: TokenMask | undefined;
}

export interface TokenScore extends ScoredToken {
  readonly top: readonly ScoredToken[];
}

export interface RowEnd {
  readonly reason: 'stop' | 'length';
  /** Tokens of the prompt and of the answer's beginning. */
  readonly promptTokens: number;
  /** Number of `promptTokens` found in the prefix cache. */
  readonly cachedTokens: number;
  readonly answerTokens: number;
}

export interface RowEvent {
  readonly text: string;
  /** The token of this event; absent: one that ends the answer. */
  readonly token?: number | undefined;
  readonly scores?: readonly TokenScore[] | undefined;
  /** The last event has it. */
  readonly end?: RowEnd | undefined;
}

export class Row {
  readonly request: RowRequest;
  /** Prompt and answer. */
  readonly tokens: number[];
  /** Tokens whose keys and values are in the slab. */
  computed = 0;
  cached = 0;
  cancelled = false;
  readonly #sampler: Sampler;
  readonly #text: TextStream;
  readonly #vocabulary: TokenTable;
  readonly #ends: ReadonlySet<number>;
  /** Scores of tokens whose text waits, with the place where that text begins. */
  readonly #scores: { readonly from: number; readonly score: TokenScore }[] = [];
  /** Tokens before the first one that this row generates. */
  readonly #given: number;
  readonly #limit: number;
  readonly #emit: (event: RowEvent) => void;

  constructor(
    request: RowRequest,
    vocabulary: TokenTable,
    bounds: { readonly ends: ReadonlySet<number>; readonly context: number },
    emit: (event: RowEvent) => void,
  ) {
    this.request = request;
    const { prompt, begun = [] } = request;
    this.tokens = [...prompt, ...begun];
    this.#given = this.tokens.length;
    this.#sampler = new Sampler(request.sampling, request.prompt);
    this.#text = new TextStream(request.stop);
    this.#vocabulary = vocabulary;
    this.#ends = bounds.ends;
    this.#limit = Math.min(this.#given + request.maxTokens, bounds.context);
    this.#emit = emit;
    // The beginning affects which tokens may follow, and the text that is held back.
    for (const token of begun) {
      this.#sampler.accept(token);
      this.#text.push(vocabulary.bytes(token));
    }
  }

  /** Takes the logits of the last token. @returns whether the answer has ended. */
  take(logits: Float32Array): boolean {
    const { logprobs, mask } = this.request;
    const scores = logprobs === undefined ? undefined : logprobsOf(logits, logprobs);
    const token = this.#sampler.next(logits, mask?.allowed());
    this.tokens.push(token);
    if (this.#ends.has(token)) {
      const text = this.#text.end();
      return this.#end('stop', text, { scores: this.#shownScores() });
    }
    mask?.accept(token);
    if (scores !== undefined) {
      const score = { token, logprob: scores.of(token), top: scores.top };
      this.#scores.push({ from: this.#text.decoded, score });
    }
    const text = this.#text.push(this.#vocabulary.bytes(token));
    if (this.#text.stopped) return this.#end('stop', text, { scores: this.#shownScores(), token });
    if (this.tokens.length >= this.#limit) {
      const rest = this.#text.end();
      return this.#end('length', text + rest, { scores: this.#shownScores(), token });
    }
    // A token may add no text yet; the caller counts it all the same.
    this.#emit({ text, token, scores: this.#shownScores() });
    return false;
  }

  /** Scores whose text is shown. The scores of a stop string are never shown, like its text. */
  #shownScores(): TokenScore[] | undefined {
    const { decoded, shown, stopped } = this.#text;
    const waiting = this.#scores.findIndex(({ from }) => from >= shown);
    const isAll = waiting === -1 || (!stopped && decoded === shown);
    const scores = this.#scores.splice(0, isAll ? this.#scores.length : waiting);
    return scores.length === 0 ? undefined : scores.map(({ score }) => score);
  }

  #end(reason: RowEnd['reason'], text: string, more: Omit<RowEvent, 'text' | 'end'> = {}): true {
    const promptTokens = this.#given;
    const answerTokens = this.tokens.length - promptTokens;
    const end = { reason, promptTokens, cachedTokens: this.cached, answerTokens };
    this.#emit({ text, ...more, end });
    return true;
  }
}
