/**
 * A GGUF model, run by node-llama-cpp where the operator has installed it: the package takes 29 MB
 * for one platform, so it is no dependency of Skein. The package batches sequences; Skein bounds
 * the queue, renders the messages and reads the text. Plain text is sampled by llama.cpp; under a
 * grammar, or for log probabilities, the probabilities come here, and the sampler of ONNX models
 * reads them.
 */
import { SkeinError } from '@skein/api';
import type { GenerateRequest } from '../../contract.ts';
import { answerOf } from '../answer-form.ts';
import type { RowEvent, RowRequest } from '../engine/row.ts';
import { TokenTrie } from '../grammar/token-mask.ts';
import type { LocalModel, LocalModelOptions } from '../local-model.ts';
import { readChatTemplate } from '../model/chat-template.ts';
import { invalid } from '../model/invalid.ts';
import { answerOfRows, type RowModel } from '../row-answer.ts';
import { readGguf } from './header.ts';
import { loadLlama, type LlamaSequence } from './llama.ts';
import { sampledByLlama, sampledHere } from './sampling.ts';
import { readGgufVocabulary } from './vocabulary.ts';

/** Contexts over this take more memory than a default should. */
const MAX_CONTEXT = 4096;

/** @throws SkeinError LANGUAGE_MODEL_INVALID, GGUF_UNAVAILABLE. */
export async function openGgufModel(options: LocalModelOptions): Promise<LocalModel> {
  const { path, threads, maxRows, maxQueued, maxContext = MAX_CONTEXT } = options;
  const header = await readGguf(path);
  const llama = await loadLlama(threads);
  const model = await llama.loadModel({ modelPath: path }).catch((error: unknown) => {
    throw invalid(
      `llama.cpp cannot load the model: ${error instanceof Error ? error.message : String(error)}`,
      error,
    );
  });
  const contextSize = Math.min(model.trainContextSize, maxContext);
  const context = await model.createContext({ sequences: maxRows, contextSize, threads });
  const source = model.fileInfo.metadata.tokenizer?.chat_template || undefined;
  const tokens = {
    bos_token: model.tokens.bosString ?? '',
    eos_token: model.tokens.eosString ?? '',
  };
  const template = source === undefined ? undefined : readChatTemplate(source, tokens);
  const free = Array.from({ length: maxRows }, () => context.getSequence());
  const waiting: ((sequence: LlamaSequence) => void)[] = [];
  let running = 0;

  function promptOf(request: GenerateRequest): number[] {
    const { text = '', tokens: ids } = request.continuation ?? {};
    const begun = ids === undefined ? text : '';
    if (request.prompt !== undefined) {
      const { bos } = model.tokens;
      return [...(bos === null ? [] : [bos]), ...model.tokenize(request.prompt + begun, false)];
    }
    if (template === undefined) {
      throw new SkeinError(
        'GENERATION_UNSUPPORTED',
        'The model has no chat template, so it only continues texts.',
      );
    }
    return model.tokenize(template.render(request) + begun, true);
  }
  async function take(signal: AbortSignal): Promise<LlamaSequence> {
    const sequence = free.pop();
    if (sequence !== undefined) return sequence;
    if (waiting.length >= maxQueued) {
      throw new SkeinError(
        'PROVIDER_BUSY',
        `${waiting.length} ${waiting.length === 1 ? 'request waits' : 'requests wait'} for the model already.`,
      );
    }
    return new Promise((resolve, reject) => {
      const accept = (given: LlamaSequence): void => {
        signal.removeEventListener('abort', leave);
        resolve(given);
      };
      const leave = (): void => {
        waiting.splice(waiting.indexOf(accept), 1);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', leave, { once: true });
      waiting.push(accept);
    });
  }
  function give(sequence: LlamaSequence): void {
    const next = waiting.shift();
    if (next === undefined) free.push(sequence);
    else next(sequence);
  }

  /** For plain text: llama.cpp decodes its own tokens, so no vocabulary is needed. */
  const plain: RowModel = {
    promptOf,
    vocabulary: { size: 0, bytes: () => new Uint8Array(0), isSpecial: () => false },
    ends: new Set(),
    defaults: {},
    trie: () => {
      throw new Error('A grammar needs the vocabulary.');
    },
  };
  let whole: Promise<RowModel> | undefined;
  /** With the vocabulary, which is read when it is first needed, and again after a failure. */
  async function readWhole(): Promise<RowModel> {
    const vocabulary = await readGgufVocabulary(path);
    const tokens = Array.from({ length: vocabulary.size }, (_, token) => token);
    const ends = new Set(tokens.filter((token) => model.isEogToken(token)));
    let trie: TokenTrie | undefined;
    return {
      ...plain,
      vocabulary,
      ends,
      trie: () => (trie ??= new TokenTrie(vocabulary, vocabulary.size)),
    };
  }

  function failWhole(error: unknown): never {
    whole = undefined;
    throw error;
  }

  async function* generateRow(
    rowModel: RowModel,
    row: RowRequest,
    signal: AbortSignal,
  ): AsyncGenerator<RowEvent, void> {
    const given = row.prompt.length + (row.begun?.length ?? 0);
    if (given >= contextSize) {
      throw new SkeinError(
        'CONTEXT_TOO_LONG',
        `The prompt has ${given} tokens; the model's context holds ${contextSize}.`,
      );
    }
    const sequence = await take(signal);
    running++;
    try {
      await sequence.clearHistory();
      yield* rowModel === plain
        ? sampledByLlama({ model, sequence, contextSize }, row, signal)
        : sampledHere({ sequence, contextSize }, rowModel, row, signal);
    } finally {
      running--;
      give(sequence);
    }
  }

  return {
    info: {
      family: header.architecture,
      context: contextSize,
      rows: maxRows,
      chat: template !== undefined,
      continues: true,
      engine: 'llama.cpp',
    },
    get state() {
      return { running, queued: waiting.length, prefixBytes: 0, tokenMs: 0, stepMs: 0 };
    },
    async *generate(request, signal) {
      const form = answerOf(request);
      const isPlain = form.grammar === undefined && request.logprobs === undefined;
      const rowModel = isPlain ? plain : await (whole ??= readWhole().catch(failWhole));
      yield* answerOfRows(rowModel, request, form, (row) => generateRow(rowModel, row, signal));
    },
    countTokens: (request) => promptOf(request).length,
    close: () => llama.dispose(),
  };
}
