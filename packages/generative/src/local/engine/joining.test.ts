import { MessageChannel } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { byteTokenizer } from '../build/byte-tokenizer.ts';
import { llamaModel } from '../build/llama-graph.ts';
import { randomLlama, SHAPE_260K } from '../build/random-llama.ts';
import { readDecoder } from '../model/graph.ts';
import { readVocabulary } from '../model/vocabulary.ts';
import { openDecoder, type Decoder } from './decoder.ts';
import { Engine } from './engine.ts';
import type { RowRequest } from './row.ts';

it('starts a request that arrives during a step before the next one', async () => {
  const vocabulary = readVocabulary({ ...byteTokenizer([]).file }, {});
  const shape = { ...SHAPE_260K, vocabulary: vocabulary.size };
  const graph = readDecoder(llamaModel(shape, randomLlama(shape, 1), { weights: 'float32' }));
  const real = await openDecoder({ graph, folder: '.', threads: 1, rows: 2, context: 64 });
  const { port1, port2 } = new MessageChannel();
  const calls: string[] = [];
  const decoder: Decoder = {
    ...real,
    prompt(piece, keep) {
      calls.push('prompt');
      return real.prompt(piece, keep);
    },
    async step(pasts, tokens) {
      calls.push('step');
      const logits = await real.step(pasts, tokens);
      // The step has held the thread until now: what came meanwhile is read in the next turn.
      if (calls.length === 4) port1.postMessage('a request');
      return logits;
    },
  };
  const ends = new Set<number>();
  const engine = new Engine({ decoder, vocabulary, ends, maxQueued: 4, prefixBytes: 0 });
  const request: RowRequest = {
    prompt: [65, 66, 67],
    maxTokens: 8,
    sampling: { temperature: 0, seed: 1 },
    stop: [],
  };
  const { signal } = new AbortController();
  const read = async (): Promise<void> => {
    for await (const _ of engine.generate(request, signal, 60_000));
  };
  const joined = new Promise<void>((resolve, reject) => {
    port2.once('message', () => void read().then(resolve, reject));
  });
  await Promise.all([read(), joined]);
  expect(calls.slice(0, 5)).toEqual(['prompt', 'step', 'step', 'step', 'prompt']);
  port1.close();
  await engine.close();
});
