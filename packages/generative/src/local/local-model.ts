/** A loaded model: requests of the contract in, events of the contract out. It runs in the model's process. */
import { SkeinError } from '@skein/api';
import type { GenerateEvent, GenerateRequest } from '../contract.ts';
import { openDecoder } from './engine/decoder.ts';
import { Engine, type EngineState } from './engine/engine.ts';
import { bytesPerToken } from './engine/slab.ts';
import type { RowRequest } from './engine/row.ts';
import { answerOf } from './answer-form.ts';
import { TokenTrie } from './grammar/token-mask.ts';
import { readModelFolder, type ModelFolder } from './model/folder.ts';
import { invalid } from './model/invalid.ts';
import { answerOfRows } from './row-answer.ts';

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
  /** Whether it continues an answer that was cut. */
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
  /** Tokens of the prompt. @throws SkeinError GENERATION_UNSUPPORTED, CONTEXT_TOO_LONG. */
  countTokens(request: GenerateRequest): number;
  close(): Promise<void>;
}

/** Share of the memory for keys and values that keeps prefixes for later requests. */
const PREFIX_SHARE = 0.25;

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
  const trie = (): TokenTrie => (built ??= new TokenTrie(vocabulary, decoder.vocabulary));
  const { ends, defaults } = model;
  const promptOf = (request: GenerateRequest): number[] => readPrompt(model, context, request);
  const rowModel = { promptOf, vocabulary, ends, defaults, trie };
  const engine = new Engine({ decoder, vocabulary, ends, maxQueued, prefixBytes });
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
    async *generate(request, signal, gapMs) {
      const generate = (row: RowRequest) => engine.generate(row, signal, gapMs);
      yield* answerOfRows(rowModel, request, answerOf(request), generate);
    },
    countTokens: (request) => promptOf(request).length,
    close: () => engine.close(),
  };
}

/** Largest factor by which a tokenizer shortens a text before it searches for tokens, such as by composing accents. */
const NORMALISED = 4;

/**
 * @throws SkeinError GENERATION_UNSUPPORTED when the model has no template for messages, CONTEXT_TOO_LONG when
 *   the text cannot fit, however it is cut: to read megabytes would hold up all other answers.
 */
function readPrompt(
  { template, vocabulary }: ModelFolder,
  context: number,
  request: GenerateRequest,
): number[] {
  const encode = (text: string, addSpecial: boolean): number[] => {
    const fewest = Math.floor(text.length / (NORMALISED * vocabulary.longest));
    if (fewest <= context) return vocabulary.encode(text, addSpecial);
    throw new SkeinError(
      'CONTEXT_TOO_LONG',
      `The prompt has ${fewest} tokens or more; the model's context holds ${context}.`,
    );
  };
  // If the tokens of the answer's beginning are unknown, its text is read with the prompt.
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
