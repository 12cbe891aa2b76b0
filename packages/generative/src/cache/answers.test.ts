import { expect, it } from 'vitest';
import type { GenerateEvent } from '../contract.ts';
import { createAnswers } from './answers.ts';

const MIB = 2 ** 20;
const text = (length: number): GenerateEvent => ({ type: 'text', text: 'x'.repeat(length) });

it.each<[string, GenerateEvent]>([
  ['text', text(MIB)],
  ['arguments', { type: 'tool-call', index: 0, arguments: 'x'.repeat(MIB) }],
  ['log probabilities', { type: 'logprobs', tokens: [{ token: 'x'.repeat(MIB), logprob: 0 }] }],
  ['fields of the wire', { type: 'text', text: '', extra: { audio: 'x'.repeat(MIB) } }],
  ['a finish with its extra', { type: 'finish', reason: 'stop', extra: { more: 'x'.repeat(MIB) } }],
])('counts the memory of %s', (_, event) => {
  const answers = createAnswers();
  answers.keep('a', [event], 0);
  expect(answers.bytes).toBeGreaterThan(2 * MIB);
  expect(answers.bytes).toBeLessThan(2.1 * MIB);
});

it('drops the oldest first and an answer larger than the cache, and counts none twice', () => {
  const answers = createAnswers(5 * MIB);
  for (const key of ['a', 'b', 'b', 'c']) answers.keep(key, [text(MIB)], 0);
  expect(['a', 'b', 'c'].filter((key) => answers.find(key, 0) !== undefined)).toEqual(['b', 'c']);
  answers.keep('large', [text(3 * MIB)], 0);
  expect(answers.find('large', 0)).toBeUndefined();
  expect(answers.find('c', 0)).toEqual([text(MIB)]);
  expect(answers.bytes).toBeLessThan(4.1 * MIB);
});

it('repeats an answer for a minute, and drops it with the next one that is kept', () => {
  const answers = createAnswers();
  answers.keep('a', [text(MIB)], 0);
  expect(answers.find('a', 60_000)).toBeDefined();
  answers.keep('b', [text(1)], 60_001);
  expect(answers.bytes).toBeLessThan(MIB);
  expect(answers.find('a', 60_001)).toBeUndefined();
  expect(answers.find('b', 130_000)).toBeUndefined();
  expect(answers.bytes).toBe(0);
});
