/**
 * Local models against llama.cpp (node-llama-cpp, where it is installed), one thread each, with random
 * weights in the shapes of stories260K and SmolLM-135M: the same weights in both files. Skein's side
 * is its provider, whose tokens come from another process; the peer's side is its own loop.
 *
 * Both make as many tokens as they are asked for. Neither drafts tokens ahead.
 */
import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { GenerateRequest, Provider } from '@skein/generative';
import { openLocalProvider } from '@skein/generative/local';
import {
  bytePieces,
  llamaGguf,
  randomLlama,
  SHAPE_135M,
  SHAPE_260K,
  writeRandomModel,
} from '@skein/generative/model-files';
import { temporaryFolder } from '../harness/folder.ts';
import type { RowGroup } from '../harness/row-group.ts';
import { median } from '../harness/statistics.ts';

interface Peer {
  /** Answer tokens per second of so many rows. */
  rate(rows: number, tokens: number): Promise<number>;
  close(): Promise<void>;
}

interface Size {
  readonly key: 'tiny' | 'm135';
  readonly shape: typeof SHAPE_135M;
  readonly weights: 'float32' | 'int4';
  /** Writes it for Skein: a folder. */
  readonly write: (folder: string) => Promise<unknown>;
  /** Answers at once, and the promised ratio. */
  readonly rows: readonly (readonly [rows: number, atLeast: number])[];
  readonly tokens: number;
  /** Rounds of several rows, in a quick run. */
  readonly quickRounds: number;
}

const execute = promisify(execFile);
const MAKE_MODEL = fileURLToPath(
  new URL('../../../packages/generative/scripts/make-model.ts', import.meta.url),
);

const SIZES: readonly Size[] = [
  {
    key: 'tiny',
    shape: SHAPE_260K,
    weights: 'float32',
    write: (folder) => writeRandomModel(folder, SHAPE_260K, { weights: 'float32' }),
    rows: [
      [1, 0.6],
      [8, 1],
      [32, 0.8],
    ],
    tokens: 200,
    quickRounds: 2,
  },
  {
    key: 'm135',
    shape: SHAPE_135M,
    weights: 'int4',
    write: (folder) => execute(process.execPath, [MAKE_MODEL, 'random-135m', folder]),
    rows: [
      [1, 0.65],
      [8, 0.7],
    ],
    tokens: 24,
    // They differ by a few per cent.
    quickRounds: 1,
  },
];
const PLACES = [import.meta.url, pathToFileURL('/opt/node-llama-cpp/package.json').href];
const PROMPT_TOKENS = 8;
const ROUNDS = 5;
const WARM_MS = 2000;

export const LOCAL_MODEL_ROWS: RowGroup = {
  measures: [
    ...SIZES.flatMap(({ key, rows }) =>
      rows.map(([count, atLeast]) => ({
        key: `${key}_vs_llamacpp_${count}`,
        what: `${key === 'tiny' ? '260K float32' : '135M 4-bit'}, tokens/s of ${count} row${count === 1 ? '' : 's'} over node-llama-cpp`,
        unit: '×',
        target: { atLeast },
      })),
    ),
    {
      key: 'join_ttft_ratio',
      what: '135M, first token of a row that joins 7, over alone',
      unit: '×',
      target: { atMost: 3 },
    },
    {
      key: 'prefix_ttft_ratio',
      what: '135M, first token with 224 of 256 tokens known, over unknown',
      unit: '×',
      target: { atMost: 0.3 },
    },
  ],
  async measure({ quick, progress }) {
    const folder = await temporaryFolder();
    const results: Record<string, number> = {};
    const details: Record<string, unknown> = {};
    const module = await findPeer();
    if (module === undefined)
      details['llamacpp'] = 'node-llama-cpp is not installed: npm run provision';
    try {
      for (const size of SIZES) {
        const model = join(folder.path, size.key);
        const file = join(folder.path, `${size.key}.gguf`);
        const most = Math.max(...size.rows.map(([rows]) => rows));
        // Nothing is measured yet: each side gets a core.
        const writing = size.write(model);
        if (module !== undefined) await writeGguf(size, file);
        await writing;
        const opening = openLocalProvider({
          path: model,
          threads: 1,
          maxRows: most,
          maxContext: 512,
        });
        const peer = module && (await openPeer(module, file, most));
        const provider = await opening;
        try {
          // The first answers of a process take longer, of both: until V8 has optimised what they run.
          const warmBy = performance.now() + WARM_MS;
          do {
            await rateOf(provider, 1, size.tokens);
            await peer?.rate(1, size.tokens);
          } while (performance.now() < warmBy);
          for (const [rows] of size.rows) {
            // Many rows take long enough with half of their tokens.
            const tokens = quick && rows > 8 ? size.tokens / 2 : size.tokens;
            const rounds = quick && rows > 1 ? size.quickRounds : ROUNDS;
            const rates = { skein: [] as number[], llamacpp: [] as number[] };
            for (let round = 0; round < rounds; round++) {
              rates.skein.push(await rateOf(provider, rows, tokens));
              if (peer !== undefined) rates.llamacpp.push(await peer.rate(rows, tokens));
            }
            const [skein, llamacpp] = [median(rates.skein), median(rates.llamacpp)];
            const key = `${size.key}_vs_llamacpp_${rows}`;
            details[key] = { skein, llamacpp };
            if (peer !== undefined) results[key] = skein / llamacpp;
            progress(`${key}: ${skein.toFixed(0)} tokens/s, llama.cpp ${llamacpp.toFixed(0)}`);
          }
          if (size.key === 'm135') {
            const times = await firstTokens(provider, quick ? 2 : ROUNDS);
            details['ttftMs'] = times;
            results['join_ttft_ratio'] = times.joining / times.alone;
            results['prefix_ttft_ratio'] = times.known / times.unknown;
          }
        } finally {
          await peer?.close();
          await provider.close();
        }
      }
    } finally {
      await folder.remove();
    }
    return { results, details };
  },
};

let prompts = 0;
/** A text of so many tokens, one per byte, which no other one begins like. */
function textOf(tokens: number): string {
  return `${String(prompts++).padStart(6, '0')}${'lorem ipsum '.repeat(40)}`.slice(0, tokens - 1);
}

const call = () => ({ signal: new AbortController().signal, deadline: Infinity, gapMs: 200 });
const requestOf = (prompt: string, maxTokens: number): GenerateRequest => ({
  model: 'm',
  messages: [],
  prompt,
  maxTokens,
  sampling: { temperature: 0 },
  stream: true,
});

async function rateOf(provider: Provider, rows: number, tokens: number): Promise<number> {
  const start = performance.now();
  const counts = await Promise.all(
    Array.from({ length: rows }, async () => {
      for await (const event of provider.generate(
        requestOf(textOf(PROMPT_TOKENS), tokens),
        call(),
      )) {
        if (event.type === 'usage') return event.usage.outputTokens;
      }
      return 0;
    }),
  );
  if (counts.some((count) => count !== tokens))
    throw new Error(`Answers of ${counts.join(', ')} tokens, where ${tokens} were asked for.`);
  return (counts.reduce((a, b) => a + b, 0) / (performance.now() - start)) * 1000;
}

async function firstToken(provider: Provider, prompt: string): Promise<number> {
  const start = performance.now();
  for await (const event of provider.generate(requestOf(prompt, 4), call())) {
    if (event.type === 'text') break;
  }
  return performance.now() - start;
}

/** Milliseconds to the first token: alone, with seven others, without and with a known beginning. */
async function firstTokens(provider: Provider, rounds: number) {
  const times = {
    alone: [] as number[],
    joining: [] as number[],
    unknown: [] as number[],
    known: [] as number[],
  };
  for (let round = 0; round < rounds; round++) {
    times.alone.push(await firstToken(provider, textOf(32)));
    const stop = new AbortController();
    const begun = Array.from({ length: 7 }, () => Promise.withResolvers<void>());
    const others = begun.map(async ({ resolve }) => {
      for await (const event of provider.generate(requestOf(textOf(32), 300), {
        ...call(),
        signal: stop.signal,
      })) {
        if (event.type === 'text') resolve();
      }
    });
    await Promise.all(begun.map(({ promise }) => promise));
    times.joining.push(await firstToken(provider, textOf(32)));
    stop.abort(new Error('measured'));
    await Promise.allSettled(others);
    const long = textOf(256);
    times.unknown.push(await firstToken(provider, long));
    // 224 tokens, with the one that begins a text, are the same.
    times.known.push(await firstToken(provider, long.slice(0, 223) + 'x'.repeat(32)));
  }
  return {
    alone: median(times.alone),
    joining: median(times.joining),
    unknown: median(times.unknown),
    known: median(times.known),
  };
}

interface Llama {
  getLlama(options: object): Promise<{
    loadModel(options: object): Promise<{
      createContext(options: object): Promise<{
        getSequence(): {
          evaluate(tokens: readonly number[], options: object): AsyncIterable<number>;
          clearHistory(): Promise<void>;
        };
      }>;
    }>;
    dispose(): Promise<void>;
  }>;
}

async function findPeer(): Promise<Llama | undefined> {
  for (const place of PLACES) {
    try {
      const path = createRequire(place).resolve('node-llama-cpp');
      return (await import(pathToFileURL(path).href)) as Llama;
    } catch {
      // Not there.
    }
  }
  return undefined;
}

async function writeGguf({ shape, weights }: Size, file: string): Promise<void> {
  const parts = llamaGguf(shape, randomLlama(shape, 1), bytePieces(shape.vocabulary), {
    weights,
    chatTemplate: '',
  });
  await pipeline(Readable.from(parts, { objectMode: true }), createWriteStream(file));
}

async function openPeer(module: Llama, file: string, rows: number): Promise<Peer> {
  const llama = await module.getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    logLevel: 'disabled',
    maxThreads: 1,
  });
  const model = await llama.loadModel({ modelPath: file });
  const context = await model.createContext({ sequences: rows, contextSize: 512, threads: 1 });
  const sequences = Array.from({ length: rows }, () => context.getSequence());
  return {
    async rate(count, tokens) {
      await Promise.all(sequences.map((sequence) => sequence.clearHistory()));
      const start = performance.now();
      await Promise.all(
        sequences.slice(0, count).map(async (sequence, row) => {
          let made = 0;
          const prompt = Array.from({ length: PROMPT_TOKENS }, (_, i) => 10 + row + i);
          const options = { temperature: 0, repeatPenalty: false, yieldEogToken: true };
          for await (const _ of sequence.evaluate(prompt, options)) if (++made === tokens) break;
        }),
      );
      return ((count * tokens) / (performance.now() - start)) * 1000;
    },
    close: () => llama.dispose(),
  };
}
