/** A loaded model: requests of the contract in, events of the contract out. It runs in the model's process. */
import { randomInt } from 'node:crypto';
import { SkeinError } from '@skein/api';
import type { GenerateEvent, GenerateRequest, TokenLogprob } from '../contract.ts';
import { openDecoder } from './engine/decoder.ts';
import { NEW_PACE, NO_DRAFTS } from './engine/drafts.ts';
import { Engine, type EngineState } from './engine/engine.ts';
import type { RowEvent, RowRequest, TokenScore } from './engine/row.ts';
import { bytesPerToken } from './engine/slab.ts';
import type { ScoredToken } from './engine/sampler.ts';
import { answerOf, type AnswerForm } from './answer-form.ts';
import { maskOf, TokenTrie } from './grammar/token-mask.ts';
import { readModelFolder, type ModelFolder } from './model/folder.ts';
import { invalid } from './model/invalid.ts';

export interface LocalModelOptions {
  /** The folder of an ONNX model, or a GGUF file. */
  readonly path: string;
  readonly threads: number;
  /** Answers at once, at most. */
  readonly maxRows: number;
  /** Requests that wait for a row at most. */
  readonly maxQueued: number;
  /** Memory of keys and values, of rows and of the prefix cache together. */
  readonly cacheBytes: number;
  /** Default: of the model. */
  readonly maxContext?: number | undefined;
}

export interface LocalModelInfo {
  readonly family: string;
  /** Tokens of prompt and answer. */
  readonly context: number;
  /** Answers at once. */
  readonly rows: number;
  /** Whether it answers messages; otherwise it only continues texts. */
  readonly chat: boolean;
  /** Whether it goes on with an answer that was cut. */
  readonly continues: boolean;
  readonly engine: 'onnxruntime' | 'llama.cpp';
}

export interface LocalModel {
  readonly info: LocalModelInfo;
  readonly state: EngineState;
  generate(
    request: GenerateRequest,
    signal: AbortSignal,
    gapMs: number,
  ): AsyncGenerator<GenerateEvent, void>;
  /** Of the prompt. @throws SkeinError GENERATION_UNSUPPORTED, CONTEXT_TOO_LONG. */
  countTokens(request: GenerateRequest): number;
  close(): Promise<void>;
}

/** Of the memory for keys and values, for prefixes that may come again. */
const PREFIX_SHARE = 0.25;
const MAX_STOPS = 64;
const MAX_STOP_LENGTH = 1024;
const DEFAULT_MAX_TOKENS = 4096;

/** @throws SkeinError LANGUAGE_MODEL_INVALID. */
export async function openOnnxModel(options: LocalModelOptions): Promise<LocalModel> {
  const { threads, maxRows, maxQueued, cacheBytes, maxContext = Infinity } = options;
  const model = await readModelFolder(options.path);
  const { graph, vocabulary } = model;
  const context = Math.min(model.context, maxContext);
  const shape = {
    type: graph.cacheType,
    layers: graph.layers,
    heads: graph.keyHeads,
    headSize: graph.headSize,
  };
  const rowBytes = bytesPerToken(shape) * context;
  const rows = Math.min(maxRows, Math.floor((cacheBytes * (1 - PREFIX_SHARE)) / rowBytes));
  if (rows === 0) {
    throw new SkeinError(
      'MODEL_MEMORY',
      `The keys and values of one answer of ${context} tokens take ${rowBytes} bytes; the cache may take ${cacheBytes}.`,
    );
  }
  const opened = openDecoder({ graph, folder: model.graphFolder, threads, rows, context });
  const decoder = await opened.catch((error: unknown) => {
    throw invalid(
      `The runtime cannot load the model: ${error instanceof Error ? error.message : String(error)}`,
      error,
    );
  });
  const prefixBytes = cacheBytes * PREFIX_SHARE;
  let built: TokenTrie | undefined;
  // Most models never need it, and it takes a while over a large vocabulary.
  const trie = (): TokenTrie => (built ??= new TokenTrie(vocabulary, decoder.vocabulary));
  const pace = graph.isExact ? NEW_PACE : NO_DRAFTS;
  const { ends } = model;
  const engine = new Engine({ decoder, vocabulary, ends, maxQueued, prefixBytes, pace });
  return {
    info: {
      family: model.family,
      context,
      rows,
      chat: model.template !== undefined,
      continues: true,
      engine: 'onnxruntime',
    },
    get state() {
      return engine.state;
    },
    generate: (request, signal, gapMs) =>
      generate({ model, context, engine, trie }, request, signal, gapMs),
    countTokens: (request) => promptOf({ model, context }, request).length,
    close: () => engine.close(),
  };
}

/** What a tokenizer may shorten a text by before it looks for tokens, such as by composing accents. */
const NORMALISED = 4;

/**
 * @throws SkeinError GENERATION_UNSUPPORTED when the model has no template for messages, CONTEXT_TOO_LONG when
 *   the text cannot fit, however it is cut: to read megabytes would hold up all other answers.
 */
function promptOf(
  { model, context }: Pick<Parts, 'model' | 'context'>,
  request: GenerateRequest,
): number[] {
  const { template, vocabulary } = model;
  const encode = (text: string, addSpecial: boolean): number[] => {
    const fewest = Math.floor(text.length / (NORMALISED * vocabulary.longest));
    if (fewest <= context) return vocabulary.encode(text, addSpecial);
    throw new SkeinError(
      'CONTEXT_TOO_LONG',
      `The prompt has ${fewest} tokens or more; the model's context holds ${context}.`,
    );
  };
  // Of an answer whose tokens are not known, the text is read with the prompt.
  const { text = '', tokens } = request.continuation ?? {};
  const begun = tokens === undefined ? text : '';
  if (request.prompt !== undefined) return encode(request.prompt + begun, true);
  if (template === undefined) {
    throw new SkeinError(
      'GENERATION_UNSUPPORTED',
      'The model has no chat template, so it only continues texts: POST /v1/completions with a prompt.',
    );
  }
  // The template writes the special tokens itself.
  return encode(template.render(request) + begun, false);
}

function rowOf(
  { model: { defaults, ends }, trie }: Parts,
  request: GenerateRequest,
  prompt: readonly number[],
  { grammar }: AnswerForm,
  choice: number,
): RowRequest {
  const { sampling = {}, stop = [], logprobs } = request;
  const begun = request.continuation?.tokens?.ids ?? [];
  const { maxTokens = Math.max(1, DEFAULT_MAX_TOKENS - begun.length) } = request;
  if (stop.length > MAX_STOPS || stop.some(({ length }) => length > MAX_STOP_LENGTH)) {
    throw new SkeinError(
      'GENERATION_UNSUPPORTED',
      `A request has up to ${MAX_STOPS} stop strings of ${MAX_STOP_LENGTH} characters.`,
    );
  }
  const seed = sampling.seed ?? randomInt(2 ** 32);
  return {
    prompt,
    begun,
    maxTokens,
    stop,
    logprobs,
    mask: grammar && maskOf(grammar, trie(), ends),
    sampling: {
      temperature: sampling.temperature ?? defaults.temperature ?? 1,
      topK: sampling.topK ?? defaults.topK,
      topP: sampling.topP ?? defaults.topP,
      minP: sampling.minP,
      repetitionPenalty: sampling.repetitionPenalty ?? defaults.repetitionPenalty,
      frequencyPenalty: sampling.frequencyPenalty,
      presencePenalty: sampling.presencePenalty,
      seed: seed + choice,
    },
  };
}

interface Parts {
  readonly model: ModelFolder;
  /** Tokens of prompt and answer. */
  readonly context: number;
  readonly engine: Engine;
  readonly trie: () => TokenTrie;
}

async function* generate(
  parts: Parts,
  request: GenerateRequest,
  signal: AbortSignal,
  gapMs: number,
): AsyncGenerator<GenerateEvent, void> {
  const { model, engine } = parts;
  const prompt = promptOf(parts, request);
  const form = answerOf(request);
  if (prompt.length === 0) {
    throw new SkeinError(
      'UPSTREAM_REJECTED',
      'The prompt is empty, and the model has no token that begins a text.',
    );
  }
  const rows = Array.from({ length: request.choices ?? 1 }, (_, choice) =>
    engine.generate(rowOf(parts, request, prompt, form, choice), signal, gapMs),
  );
  const readers = rows.map((_, choice) => form.read(choice));
  /** Tokens of which no text has been shown yet. */
  const unnamed: number[] = [];
  let inputTokens = prompt.length;
  let outputTokens = 0;
  let cachedInputTokens = 0;
  const drafts = { accepted: 0, rejected: 0 };
  for await (const [choice, event] of merged(rows)) {
    const at = choice === 0 ? {} : { choice };
    const { text, scores, end } = event;
    if (scores !== undefined) {
      yield { type: 'logprobs', tokens: scores.map((score) => logprobOf(model, score)), ...at };
    }
    if (event.token !== undefined) unnamed.push(event.token);
    for (const shown of readers[choice]!(text, end?.reason)) {
      if (shown.type !== 'text' || request.isContinuable !== true) yield shown;
      else yield { ...shown, tokens: unnamed.splice(0) };
    }
    if (end === undefined) continue;
    inputTokens = end.promptTokens;
    drafts.accepted += end.drafts.accepted;
    drafts.rejected += end.drafts.rejected;
    outputTokens += end.answerTokens;
    cachedInputTokens += end.cachedTokens;
  }
  const isDrafted = drafts.accepted + drafts.rejected > 0;
  const usage = { inputTokens, outputTokens, cachedInputTokens };
  yield { type: 'usage', usage: isDrafted ? { ...usage, drafts } : usage };
}

function logprobOf(model: ModelFolder, { top, ...score }: TokenScore): TokenLogprob {
  return { ...named(model, score), top: top.map((each) => named(model, each)) };
}

function named({ vocabulary }: ModelFolder, { token, logprob }: ScoredToken) {
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
