import { describe, expect, it } from 'vitest';
import type { GenerateRequest } from '../../contract.ts';
import { requestOf } from '../../testing/calls.ts';
import { numbersOf, questionOf } from './question.ts';

const user = (text: string) => ({ role: 'user', content: [{ type: 'text', text }] }) as const;
const system = (text: string) => ({ role: 'system', content: [{ type: 'text', text }] }) as const;
const question = (text: string, more: Partial<GenerateRequest> = {}) =>
  requestOf('m', { messages: [user(text)], ...more });

describe('a question', () => {
  const setting = (request: GenerateRequest, tenant = 'a') => questionOf(request, tenant)?.setting;
  const plain = setting(question('What is Skein?'));

  it('has the setting of its request, whatever its words and its stream', () => {
    expect(setting(question('How is the weather?', { stream: false }))).toBe(plain);
  });

  it.each([
    ['another tenant', question('x'), 'b'],
    ['a system prompt', question('x', { messages: [system('Be rude.'), user('x')] }), 'a'],
    ['another temperature', question('x', { sampling: { temperature: 1 } }), 'a'],
    ['a seed', question('x', { sampling: { seed: 1 } }), 'a'],
    ['a length', question('x', { maxTokens: 5 }), 'a'],
    ['a stop', question('x', { stop: ['.'] }), 'a'],
    ['a form', question('x', { format: { type: 'json' } }), 'a'],
    ['an effort', question('x', { effort: 'low' }), 'a'],
    ['an unknown field', question('x', { extra: { top_a: 1 } }), 'a'],
    ['a name', question('x', { messages: [{ ...user('x'), name: 'ann' }] }), 'a'],
    ['another model', { ...question('x'), model: 'n' }, 'a'],
  ])('has another setting with %s', (_, request, tenant) => {
    expect(setting(request, tenant)).toMatch(/./);
    expect(setting(request, tenant)).not.toBe(plain);
  });

  it.each([
    ['tools', question('x', { tools: [{ name: 't' }] })],
    [
      'several turns',
      question('x', { messages: [user('a'), { ...user('b'), role: 'assistant' }, user('x')] }),
    ],
    ['two questions', question('x', { messages: [user('a'), user('x')] })],
    ['several answers', question('x', { choices: 2 })],
    ['log probabilities', question('x', { logprobs: 1 })],
    ['a prompt', question('x', { prompt: 'x' })],
    [
      'an image',
      question('x', {
        messages: [{ role: 'user', content: [{ type: 'image', url: 'https://a' }] }],
      }),
    ],
    ['a very long text', question('x'.repeat(4001))],
    ['no text', question(' ')],
  ] as const)('is none with %s', (_, request) => {
    expect(questionOf(request, 'a')).toBeUndefined();
  });

  it('has its numbers, in their order', () => {
    expect(numbersOf('from 3 to 5.5 on 2026-11-27, x2')).toBe('3 5.5 2026-11-27 2');
    expect(numbersOf('٣ and 3')).toBe('٣ 3');
  });
});
