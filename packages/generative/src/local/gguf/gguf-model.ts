/**
 * A GGUF model, run by node-llama-cpp where the operator has installed it: the package takes 29 MB
 * for one platform, so it is no dependency of Skein. It batches sequences and reuses prefixes by
 * itself; Skein bounds the queue, renders the messages and reads the text.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { randomInt } from 'node:crypto';
import { SkeinError } from '@skein/api';
import type { GenerateEvent, GenerateRequest, Sampling } from '../../contract.ts';
import { answerOf } from '../answer-form.ts';
import { TextStream } from '../engine/text-stream.ts';
import type { LocalModel, LocalModelOptions } from '../local-model.ts';
import { ChatTemplate } from '../model/chat-template.ts';
import { invalid } from '../model/invalid.ts';
import { readGguf } from './header.ts';

/** The parts of node-llama-cpp 3 that are used. */
interface Llama {
  loadModel(options: { modelPath: string }): Promise<LlamaModel>;
  dispose(): Promise<void>;
}
interface LlamaModel {
  readonly fileInfo: {
    readonly metadata: { readonly tokenizer?: { readonly chat_template?: string } };
  };
  readonly trainContextSize: number;
  readonly tokens: {
    readonly bosString: string | null;
    readonly eosString: string | null;
    readonly bos: number | null;
  };
  tokenize(text: string, specialTokens: boolean): number[];
  detokenize(
    tokens: readonly number[],
    specialTokens: boolean,
    lastTokens: readonly number[],
  ): string;
  isEogToken(token: number): boolean;
  createContext(options: {
    sequences: number;
    contextSize: number;
    threads: number;
  }): Promise<LlamaContext>;
}
interface LlamaContext {
  getSequence(): LlamaSequence;
}
interface LlamaSequence {
  evaluate(
    tokens: readonly number[],
    options: Readonly<Record<string, unknown>>,
  ): AsyncGenerator<number, void>;
  clearHistory(): Promise<void>;
  dispose(): void;
}

const PACKAGE = 'node-llama-cpp';
const DEFAULT_MAX_TOKENS = 4096;
/** Contexts over this take more memory than a default should. */
const MAX_CONTEXT = 4096;

/** @throws SkeinError GGUF_UNAVAILABLE. */
async function loadLlama(threads: number): Promise<Llama> {
  const places = [import.meta.url, pathToFileURL(join(process.cwd(), 'package.json')).href];
  for (const place of places) {
    let path: string;
    try {
      path = createRequire(place).resolve(PACKAGE);
    } catch {
      continue;
    }
    const { getLlama } = (await import(pathToFileURL(path).href)) as {
      getLlama: (options: Readonly<Record<string, unknown>>) => Promise<Llama>;
    };
    return getLlama({
      gpu: false,
      build: 'never',
      skipDownload: true,
      logLevel: 'disabled',
      maxThreads: threads,
    });
  }
  throw new SkeinError(
    'GGUF_UNAVAILABLE',
    `The model is a GGUF file, and the package ${PACKAGE} is not installed.`,
  );
}

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
  const template = source === undefined ? undefined : new ChatTemplate(source, tokens);
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
        'UPSTREAM_BUSY',
        `${waiting.length} requests wait for the model already.`,
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

  async function* generate(
    request: GenerateRequest,
    signal: AbortSignal,
  ): AsyncGenerator<GenerateEvent, void> {
    const {
      sampling = {},
      stop = [],
      maxTokens = DEFAULT_MAX_TOKENS,
      logprobs,
      choices = 1,
      format,
    } = request;
    const form = answerOf(request);
    if (
      form.grammar !== undefined ||
      logprobs !== undefined ||
      choices > 1 ||
      format?.type === 'schema'
    ) {
      throw new SkeinError(
        'GENERATION_UNSUPPORTED',
        'A GGUF model gives one answer as text: no JSON schema, required tool, log probabilities or several choices.',
      );
    }
    // Of an answer whose tokens are not known, the text is read with the prompt.
    const begun = request.continuation?.tokens?.ids ?? [];
    const given = promptOf(request);
    const prompt = [...given, ...begun];
    if (prompt.length === 0) {
      throw new SkeinError(
        'UPSTREAM_REJECTED',
        'The prompt is empty, and the model has no token that begins a text.',
      );
    }
    if (prompt.length >= contextSize) {
      throw new SkeinError(
        'CONTEXT_TOO_LONG',
        `The prompt has ${prompt.length} tokens; the model's context holds ${contextSize}.`,
      );
    }
    const limit = Math.min(maxTokens, contextSize - prompt.length);
    const sequence = await take(signal);
    running++;
    const read = form.read(0);
    const text = new TextStream(stop);
    const utf8 = new TextEncoder();
    const answer: number[] = [...begun];
    let shown = model.detokenize(answer, false, given);
    text.push(utf8.encode(shown));
    /** Tokens of which no text has been shown yet. */
    const unnamed: number[] = [];
    let reason: 'stop' | 'length' = 'stop';
    try {
      await sequence.clearHistory();
      const temperature = sampling.temperature ?? 1;
      const evaluated = sequence.evaluate(prompt, {
        temperature,
        topK: sampling.topK ?? 0,
        topP: sampling.topP ?? 1,
        minP: sampling.minP ?? 0,
        seed: sampling.seed ?? randomInt(2 ** 31),
        repeatPenalty: repeatOf(sampling, answer),
      });
      for await (const token of evaluated) {
        if (signal.aborted) throw signal.reason;
        answer.push(token);
        unnamed.push(token);
        if (model.isEogToken(token)) break;
        // A character whose bytes are not all there ends in U+FFFD, and waits.
        const whole = model.detokenize(answer, false, given);
        const isLast = answer.length - begun.length >= limit;
        if (!whole.endsWith('�') || isLast) {
          for (const event of read(text.push(utf8.encode(whole.slice(shown.length))), undefined)) {
            if (event.type !== 'text' || request.isContinuable !== true) yield event;
            else yield { ...event, tokens: unnamed.splice(0) };
          }
          shown = whole;
        }
        if (text.stopped) break;
        if (isLast) {
          reason = 'length';
          break;
        }
      }
    } finally {
      running--;
      give(sequence);
    }
    yield* read(text.end(), reason);
    const outputTokens = answer.length - begun.length;
    yield { type: 'usage', usage: { inputTokens: prompt.length, outputTokens } };
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
    generate,
    countTokens: (request) => promptOf(request).length,
    close: () => llama.dispose(),
  };
}

function repeatOf(sampling: Sampling, answer: readonly number[]) {
  const { repetitionPenalty: penalty = 1, frequencyPenalty = 0, presencePenalty = 0 } = sampling;
  if (penalty === 1 && frequencyPenalty === 0 && presencePenalty === 0) return false;
  return { penalty, frequencyPenalty, presencePenalty, punishTokens: () => [...answer] };
}
