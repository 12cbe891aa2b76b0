import { seededRandom } from '@skein/onnx';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byteTokenizer } from '../build/byte-tokenizer.ts';
import { llamaModel } from '../build/llama-graph.ts';
import { randomLlama, SHAPE_260K } from '../build/random-llama.ts';
import { ANY_OBJECT } from '../grammar/json-text.ts';
import { maskOf, TokenTrie } from '../grammar/token-mask.ts';
import { readDecoder } from '../model/graph.ts';
import { readVocabulary } from '../model/vocabulary.ts';
import { openDecoder, type Decoder } from './decoder.ts';
import { afterDraft, afterStep, LONGEST_DRAFT, lookUp, NEW_PACE, NO_DRAFTS } from './drafts.ts';
import { Engine } from './engine.ts';
import type { RowEvent, RowRequest } from './row.ts';

describe('a draft', () => {
  it('is what followed the longest known end, as a search without cleverness finds it', () => {
    const tokens = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 40 });
    fc.assert(
      fc.property(tokens, fc.integer({ min: 1, max: 9 }), (all, most) => {
        const text = all.map(String).join('');
        let expected = '';
        for (const length of [3, 2]) {
          const end = text.slice(-length);
          if (text.length <= length) continue;
          const at = text.lastIndexOf(end, text.length - length - 1);
          if (at === -1) continue;
          expected = text.slice(at + length, at + length + most);
          break;
        }
        expect(lookUp(all, most).join('')).toBe(expected);
      }),
      { seed: 5, numRuns: 500 },
    );
  });

  it.each([
    ['rests where it gives nothing', 1.5, 1, false],
    ['goes on where it pays', 1.5, 4, true],
    ['rests where a longer run costs more than it gives', 6, 5, false],
  ])('%s', (_, runMs, tokens, isWorthIt) => {
    let pace = NEW_PACE;
    let drafts = 0;
    let steps = 0;
    for (let n = 0; n < 4000; n++) {
      if (pace.rest > 0) {
        pace = afterStep(pace, 1);
        steps += 1;
      } else {
        pace = afterDraft(pace, runMs, tokens);
        drafts += 1;
      }
    }
    if (isWorthIt) expect(steps).toBeLessThan(10);
    else expect(drafts / steps).toBeLessThan(0.02);
  });
});

describe('answers with drafts', () => {
  const vocabulary = readVocabulary({ ...byteTokenizer([]).file }, {});
  /** Blocks of 4 bits divide it. */
  const shape = { ...SHAPE_260K, intermediate: 192, vocabulary: 260 };
  const graphOf = (weights: 'float32' | 'int4') =>
    readDecoder(llamaModel(shape, randomLlama(shape, 1), { weights }));
  let decoder: Decoder;
  beforeAll(async () => {
    const graph = graphOf('float32');
    decoder = await openDecoder({ graph, folder: '.', threads: 1, rows: 3, context: 160 });
  });
  afterAll(() => decoder.close());

  /** Drafts at every step, whatever they cost. */
  const always = { pace: { ...NEW_PACE, rest: 0, plainMs: 1e300 } };
  const never = { pace: NO_DRAFTS };
  const engineOf = (drafts: object, prefixBytes = 0) =>
    new Engine({ decoder, vocabulary, ends: new Set(), maxQueued: 8, prefixBytes, ...drafts });
  async function read(events: AsyncIterable<RowEvent>) {
    const tokens: (number | undefined)[] = [];
    let text = '';
    let last: RowEvent | undefined;
    for await (const event of events) {
      tokens.push(event.token);
      text += event.text;
      last = event;
    }
    return { tokens, text, end: last!.end! };
  }
  const signal = new AbortController().signal;
  const bytes = (text: string): number[] => [...Buffer.from(text)];
  const trie = new TokenTrie(vocabulary, 260);
  const KINDS: Record<string, () => Partial<RowRequest>> = {
    greedy: () => ({}),
    'by a seed': () => ({ sampling: { temperature: 0.7, topK: 20, seed: 3 } }),
    'with penalties': () => ({
      sampling: { temperature: 0, repetitionPenalty: 1.1, frequencyPenalty: 0.2, seed: 1 },
    }),
    'to a stop string': () => ({ stop: ['\u0007\u0007'] }),
    'in JSON': () => ({ mask: maskOf(ANY_OBJECT, trie, new Set()) }),
    'to the end of the context': () => ({ maxTokens: 1000 }),
  };

  it('are for models whose products do not round by the shape of a run', () => {
    const isExact = (weights: 'float32' | 'int4') => graphOf(weights).isExact;
    expect([isExact('float32'), isExact('int4')]).toEqual([true, false]);
  });

  it.each(Object.keys(KINDS))('are the same to the token: %s', async (kind) => {
    const random = seededRandom(11);
    let accepted = 0;
    for (let round = 0; round < 6; round++) {
      const part = Array.from({ length: 9 }, () => 65 + Math.floor(random.next() * 26));
      const request = (): RowRequest => ({
        prompt: [...part, ...part, ...part, ...bytes(' {"a":1,"a":1,"a"')],
        maxTokens: 60,
        sampling: { temperature: 0, seed: 1 },
        stop: [],
        ...KINDS[kind]!(),
      });
      const plain = await read(engineOf(never).generate(request(), signal, 60_000));
      const drafted = await read(engineOf(always).generate(request(), signal, 60_000));
      expect(drafted.tokens).toEqual(plain.tokens);
      expect(drafted.text).toBe(plain.text);
      expect([plain.end.drafts.accepted, plain.end.drafts.rejected]).toEqual([0, 0]);
      expect({ ...drafted.end, drafts: plain.end.drafts }).toEqual(plain.end);
      accepted += drafted.end.drafts.accepted;
    }
    if (kind === 'greedy') expect(accepted).toBeGreaterThan(LONGEST_DRAFT);
  });

  it('leave no trace of what was wrong: in the rows that join, and in the cache of prefixes', async () => {
    const requests = Array.from({ length: 6 }, (_, n): RowRequest => {
      const part = bytes(`abc${n} abc${n} `);
      return {
        prompt: [...part, ...part, ...part],
        maxTokens: 20 + 7 * n,
        sampling: { temperature: 0, seed: 1 },
        stop: [],
      };
    });
    const alone: (number | undefined)[][] = [];
    for (const each of requests) {
      alone.push((await read(engineOf(never).generate(each, signal, 60_000))).tokens);
    }
    const engine = engineOf(always, 2 ** 22);
    // The second time the beginning is in the cache, also what was answered.
    for (let round = 0; round < 2; round++) {
      const answers = await Promise.all(
        requests.map(async (each) => (await read(engine.generate(each, signal, 1))).tokens),
      );
      expect(answers).toEqual(alone);
      const first = requests[5]!;
      const said = alone[5]!.slice(0, 20) as number[];
      const longer = { ...first, prompt: [...first.prompt, ...said], maxTokens: 10 };
      const rest = await read(engine.generate(longer, signal, 60_000));
      expect(rest.tokens).toEqual(alone[5]!.slice(20, 30));
    }
  });
});
