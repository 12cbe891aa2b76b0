/**
 * Answers many requests with one decoder: rows join and leave between two steps (continuous
 * batching, Yu et al., OSDI 2022), and a prompt runs in pieces between the steps of the others
 * (chunked prefill, Agrawal et al., OSDI 2024).
 *
 *   slab row:   0 … n - 1        n            n + 1 …
 *               answer           its prompt   free
 *
 * One prompt runs at a time, in the order of arrival: sharing the processor between prompts would
 * only make all of them later. A row's results do not depend on its neighbours.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { SkeinError } from '@skein/api';
import type { Vocabulary } from '../model/vocabulary.ts';
import type { Decoder } from './decoder.ts';
import { blended, nextPiece } from './pace.ts';
import { BLOCK, PrefixTree } from './prefix-tree.ts';
import { Row, type RowEvent, type RowRequest } from './row.ts';

export interface EngineOptions {
  readonly decoder: Decoder;
  readonly vocabulary: Vocabulary;
  /** Tokens that end an answer. */
  readonly ends: ReadonlySet<number>;
  /** Requests that wait for a row at most. */
  readonly maxQueued: number;
  /** Bytes of the cache of prefixes; 0: none. */
  readonly prefixBytes: number;
}

export interface EngineState {
  readonly running: number;
  readonly queued: number;
  readonly prefixBytes: number;
  /** Milliseconds per prompt token and per step of all rows, recently; 0: not known yet. */
  readonly tokenMs: number;
  readonly stepMs: number;
}

interface Waiting {
  readonly row: Row;
  readonly gapMs: number;
  readonly fail: (error: unknown) => void;
}

export class Engine {
  readonly #options: EngineOptions;
  readonly #prefixes: PrefixTree;
  readonly #queue: Waiting[] = [];
  readonly #running: Waiting[] = [];
  #filling: Waiting | undefined;
  #tokenMs = 0;
  #stepMs = 0;
  #loop: Promise<void> | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#prefixes = new PrefixTree(options.prefixBytes);
  }

  get state(): EngineState {
    const wanted = (all: readonly (Waiting | undefined)[]): number =>
      all.filter((each) => each?.row.cancelled === false).length;
    return {
      running: wanted([...this.#running, this.#filling]),
      queued: wanted(this.#queue),
      prefixBytes: this.#prefixes.bytes,
      tokenMs: this.#tokenMs,
      stepMs: this.#stepMs,
    };
  }

  /**
   * The events of an answer; the last one has `end`. Leaving the loop, or the signal, frees its row
   * before the next step.
   *
   * @throws SkeinError CONTEXT_TOO_LONG, PROVIDER_BUSY when the queue is full, PROVIDER_FAILED when
   *   the graph fails.
   */
  async *generate(
    request: RowRequest,
    signal: AbortSignal,
    gapMs: number,
  ): AsyncGenerator<RowEvent, void> {
    const { vocabulary, ends, maxQueued, decoder } = this.#options;
    const { context } = decoder.slab.shape;
    const given = request.prompt.length + (request.begun?.length ?? 0);
    if (given >= context) {
      throw new SkeinError(
        'CONTEXT_TOO_LONG',
        `The prompt has ${given} tokens; the model's context holds ${context}, prompt and answer together.`,
      );
    }
    if (this.#queue.length >= maxQueued) {
      throw new SkeinError(
        'PROVIDER_BUSY',
        `${this.#queue.length} requests wait for the model already.`,
      );
    }
    const events: RowEvent[] = [];
    let changed = Promise.withResolvers<void>();
    let failure: { readonly error: unknown } | undefined;
    const row = new Row(request, vocabulary, { ends, context }, (event) => {
      events.push(event);
      changed.resolve();
    });
    const fail = (error: unknown): void => {
      failure ??= { error };
      changed.resolve();
    };
    const abort = (): void => {
      row.cancelled = true;
      fail(signal.reason);
    };
    if (signal.aborted) throw signal.reason;
    signal.addEventListener('abort', abort);
    this.#queue.push({ row, gapMs, fail });
    this.#loop ??= this.#run();
    try {
      for (;;) {
        if (failure !== undefined) throw failure.error;
        const event = events.shift();
        if (event === undefined) {
          await changed.promise;
          changed = Promise.withResolvers();
          continue;
        }
        yield event;
        if (event.end !== undefined) return;
      }
    } finally {
      row.cancelled = true;
      signal.removeEventListener('abort', abort);
    }
  }

  async close(): Promise<void> {
    for (const { row } of [...this.#queue, ...this.#running]) row.cancelled = true;
    if (this.#filling !== undefined) this.#filling.row.cancelled = true;
    await this.#loop;
    await this.#options.decoder.close();
  }

  /** Runs until no request is left. */
  async #run(): Promise<void> {
    for (;;) {
      // Reads the requests that arrived during the last step; otherwise they would wait for another step.
      await turn();
      this.#dropCancelled();
      this.#startNext();
      if (this.#filling === undefined && this.#running.length === 0) {
        // In the same turn as the check: a request that comes later starts a new loop.
        this.#loop = undefined;
        return;
      }
      try {
        if (this.#filling !== undefined) await this.#fill(this.#filling);
        if (this.#running.length > 0) await this.#step();
      } catch (cause) {
        const error = failureOf(cause);
        for (const each of [...this.#running.splice(0), this.#filling]) each?.fail(error);
        this.#filling = undefined;
      }
    }
  }

  #dropCancelled(): void {
    for (let i = this.#queue.length - 1; i >= 0; i--) {
      if (this.#queue[i]!.row.cancelled) this.#queue.splice(i, 1);
    }
    for (let i = this.#running.length - 1; i >= 0; i--) {
      if (this.#running[i]!.row.cancelled) this.#leave(i);
    }
    if (this.#filling?.row.cancelled === true) this.#filling = undefined;
  }

  #startNext(): void {
    if (
      this.#filling !== undefined ||
      this.#running.length === this.#options.decoder.slab.shape.rows
    )
      return;
    const next = this.#queue.shift();
    if (next === undefined) return;
    const { row } = next;
    const at = this.#running.length;
    // The last token runs in any case: its logits are the answer's first.
    for (const block of this.#prefixes.match(row.tokens, row.tokens.length - 1)) {
      this.#options.decoder.slab.write(at, row.computed, block);
      row.computed += BLOCK;
    }
    row.cached = row.computed;
    this.#filling = next;
  }

  /** Runs a piece of a prompt; after the last one the row answers. */
  async #fill(waiting: Waiting): Promise<void> {
    const { row } = waiting;
    const index = this.#running.length;
    const remaining = row.tokens.length - row.computed;
    const gapMs = Math.min(...this.#running.map((each) => each.gapMs));
    const count = nextPiece({
      remaining,
      running: index,
      gapMs,
      stepMs: this.#stepMs,
      tokenMs: this.#tokenMs,
    });
    const tokens = row.tokens.slice(row.computed, row.computed + count);
    const start = performance.now();
    const logits = await this.#options.decoder.prompt(
      { row: index, past: row.computed, tokens },
      1,
    );
    this.#tokenMs = blended(this.#tokenMs, (performance.now() - start) / count);
    row.computed += count;
    if (row.computed < row.tokens.length || row.cancelled) return;
    this.#filling = undefined;
    const ended = this.#take(waiting, logits);
    this.#remember(row, index);
    if (!ended) this.#running.push(waiting);
  }

  /** One token for each row that answers. */
  async #step(): Promise<void> {
    const { decoder } = this.#options;
    const waiting = [...this.#running];
    const rows = waiting.map(({ row }) => row);
    const pasts = rows.map(({ computed }) => computed);
    const start = performance.now();
    const logits = await decoder.step(
      pasts,
      rows.map(({ tokens }) => tokens.at(-1)!),
    );
    this.#stepMs = blended(this.#stepMs, performance.now() - start);
    const ended: number[] = [];
    for (const [i, row] of rows.entries()) {
      row.computed++;
      if (row.cancelled) continue;
      const own = logits.subarray(i * decoder.vocabulary, (i + 1) * decoder.vocabulary);
      if (this.#take(waiting[i]!, own)) ended.push(i);
    }
    for (const i of ended.toReversed()) {
      this.#remember(rows[i]!, i);
      this.#leave(i);
    }
  }

  /** A row that cannot choose a token, such as by its schema, fails alone. @returns whether it has ended. */
  #take({ row, fail }: Waiting, logits: Float32Array): boolean {
    try {
      return row.take(logits);
    } catch (error) {
      fail(failureOf(error));
      return true;
    }
  }

  /** Gives a row's place to the last one. */
  #leave(index: number): void {
    const { slab } = this.#options.decoder;
    const last = this.#running.length - 1;
    const moved = this.#running[last]!;
    if (index !== last) {
      slab.move(last, index, moved.row.computed);
      this.#running[index] = moved;
    }
    this.#running.pop();
    // The prompt that runs stays right behind the rows that answer.
    const filling = this.#filling?.row;
    if (filling !== undefined && filling.computed > 0) slab.move(last + 1, last, filling.computed);
  }

  #remember(row: Row, index: number): void {
    if (this.#options.prefixBytes === 0) return;
    const { slab } = this.#options.decoder;
    this.#prefixes.insert(row.tokens.slice(0, row.computed), (start) =>
      slab.read(index, start, BLOCK),
    );
  }
}

function failureOf(cause: unknown): SkeinError {
  if (cause instanceof SkeinError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new SkeinError('PROVIDER_FAILED', `The model failed: ${reason}`, { cause });
}
