import { expect, it } from 'vitest';
import type { GenerateRequest } from '../contract.ts';
import { requestOf } from '../testing/calls.ts';
import { isDeterministic, requestKey } from './request-key.ts';

it.each<[Partial<GenerateRequest>, boolean]>([
  [{}, false],
  [{ sampling: { temperature: 0.1 } }, false],
  [{ sampling: { temperature: 0 } }, true],
  [{ sampling: { temperature: 1, seed: 0 } }, true],
  [{ sampling: { temperature: 0 }, choices: 1 }, true],
  [{ sampling: { temperature: 0 }, choices: 2 }, false],
])('a request with %j gets the same answer again: %s', (more, expected) => {
  expect(isDeterministic(requestOf('m', more))).toBe(expected);
});

it('is the same for the same fields in any order, streamed or not', () => {
  const key = requestKey(requestOf('m', { maxTokens: 5, sampling: { seed: 1, topP: 0.5 } }), 't');
  const { model, messages } = requestOf('m');
  const sampling = { topP: 0.5, seed: 1, minP: undefined };
  expect(requestKey({ stream: false, sampling, maxTokens: 5, messages, model }, 't')).toBe(key);
});

it.each<Partial<GenerateRequest>>([
  { model: 'n' },
  { maxTokens: 6 },
  { stop: ['x'] },
  { extra: { user: 'u' } },
  { tools: [{ name: 'f' }] },
  { format: { type: 'json' } },
  { messages: [{ role: 'system', content: [{ type: 'text', text: 'hi' }] }] },
])('is another one with %j', (more) => {
  expect(requestKey(requestOf('m', more), 't')).not.toBe(requestKey(requestOf('m'), 't'));
});

it('is another one for another tenant', () => {
  expect(requestKey(requestOf('m'), 't')).not.toBe(requestKey(requestOf('m'), 'u'));
});
