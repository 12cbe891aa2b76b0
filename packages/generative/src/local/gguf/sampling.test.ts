import { expect, it } from 'vitest';
import type { TokenMask } from '../engine/row.ts';
import type { LlamaSequence } from './llama.ts';
import { sampledHere } from './sampling.ts';

const TEXTS = ['yes', 'no', '{', '}', ''];
const END = 4;
const vocabulary = {
  size: TEXTS.length,
  bytes: (token: number) => Buffer.from(TEXTS[token]!),
  isSpecial: (token: number) => token === END,
};

/** A model that has the same probabilities after every token, as llama.cpp gives them. */
class Sequence {
  readonly tokens: number[] = [];
  readonly leastAsked: number[] = [];
  readonly #probabilities: readonly number[];

  constructor(probabilities: readonly number[]) {
    this.#probabilities = probabilities;
  }
  get nextTokenIndex(): number {
    return this.tokens.length;
  }
  async eraseContextTokenRanges([range]: readonly { start: number; end: number }[]): Promise<void> {
    this.tokens.splice(range!.start, range!.end - range!.start);
  }
  async controlledEvaluate(input: readonly (number | readonly [number, object])[]) {
    this.tokens.push(...input.map((each) => (typeof each === 'number' ? each : each[0])));
    const [, asked] = input.at(-1) as [number, { generateNext: { options: { minP: number } } }];
    const { minP } = asked.generateNext.options;
    this.leastAsked.push(minP);
    const most = Math.max(...this.#probabilities);
    const kept = [...this.#probabilities.entries()].filter(([, each]) => each >= minP * most);
    const probabilities = new Map(kept.toSorted(([, a], [, b]) => b - a));
    return [...input.slice(1).map(() => undefined), { next: { probabilities } }];
  }
}

async function textOf(sequence: Sequence, masks: readonly (readonly number[])[], more = {}) {
  let at = 0;
  const mask: TokenMask = {
    allowed: () => Uint8Array.from(TEXTS, (_, token) => Number(masks[at]!.includes(token))),
    accept: () => void (at += 1),
  };
  const sampling = { temperature: 0, seed: 1, ...more };
  const request = { prompt: [0, 1], maxTokens: 10, stop: [], sampling, mask };
  const place = { sequence: sequence as unknown as LlamaSequence, contextSize: 100 };
  const { signal } = new AbortController();
  const rowModel = { vocabulary, ends: new Set([END]) };
  let text = '';
  for await (const event of sampledHere(place, rowModel, request, signal)) text += event.text;
  return text;
}

it('asks again for all tokens where none that may follow is probable, with no token twice', async () => {
  const sequence = new Sequence([0.9, 0.1, 3e-12, 2e-12, 1e-12]);
  expect(await textOf(sequence, [[2, 3], [0], [3, 4], [4]])).toBe('{yes}');
  expect(sequence.tokens).toEqual([0, 1, 2, 0, 3]);
  const asked = sequence.leastAsked.map((least) => (least > 0 ? 'probable' : 'all'));
  expect(asked.join(' ')).toBe('probable all probable probable all probable all');
});

it('asks for all tokens at once where penalties may raise any', async () => {
  const sequence = new Sequence([0.9, 0.1, 3e-12, 2e-12, 1e-12]);
  expect(await textOf(sequence, [[2], [4]], { presencePenalty: 1 })).toBe('{');
  expect(sequence.leastAsked).toEqual([0, 0]);
});
