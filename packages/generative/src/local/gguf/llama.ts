/** The engine of GGUF models: the part of node-llama-cpp 3 that is used, which the operator installs. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SkeinError } from '@skein/api';

export interface Llama {
  loadModel(options: { modelPath: string }): Promise<LlamaModel>;
  dispose(): Promise<void>;
}
export interface LlamaModel {
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
export interface LlamaContext {
  getSequence(): LlamaSequence;
}
export interface LlamaSequence {
  evaluate(
    tokens: readonly number[],
    options: Readonly<Record<string, unknown>>,
  ): AsyncGenerator<number, void>;
  /** Tokens whose `generateNext` asks for it have the probabilities of what follows, at their place. */
  controlledEvaluate(
    input: readonly (number | [token: number, options: Readonly<Record<string, unknown>>])[],
  ): Promise<{ readonly next: { readonly probabilities?: ReadonlyMap<number, number> } }[]>;
  readonly nextTokenIndex: number;
  eraseContextTokenRanges(ranges: readonly { start: number; end: number }[]): Promise<void>;
  clearHistory(): Promise<void>;
}

const PACKAGE = 'node-llama-cpp';

/** @throws SkeinError GGUF_UNAVAILABLE. */
export async function loadLlama(threads: number): Promise<Llama> {
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
