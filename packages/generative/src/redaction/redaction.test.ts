/** Redaction: the patterns against JavaScript's own, in pieces of any size; requests and answers. */
import { LanguageSettings, type Redaction } from '@skein/api';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, test } from 'vitest';
import type { GenerateEvent, GenerateRequest, Provider } from '../contract.ts';
import { openGateway } from '../gateway.ts';
import { callerOf, eventsOf, requestOf, textOf } from '../testing/calls.ts';
import { inTurns } from './in-turns.ts';
import { KINDS, redacting } from './redacting-gateway.ts';
import { compile, createScanner } from './scanner.ts';

const replaced = (patterns: readonly string[], text: string, pieces: readonly number[] = []) => {
  const rules = patterns.map((pattern, n) => ({ pattern, replacement: `<${n}>` }));
  const scanner = createScanner(compile(rules));
  let at = 0;
  let out = '';
  for (const size of pieces) out += scanner.push(text.slice(at, (at += size)));
  return out + scanner.push(text.slice(at)) + scanner.end();
};

describe('patterns', () => {
  /** Patterns whose longest match and first matching alternative are the same. */
  const SAME = [
    'ab+',
    'a[^b]{1,3}c?',
    String.raw`\ba\w*b\b`,
    '(?:ab|ba)+',
    'c(a|b){2,4}',
    String.raw`\d{2,}[-.]?\d`,
    'a(b(c(a)?)?)?',
    String.raw`[ab]\Bc`,
    'a.c',
  ];

  it('match the same as in JavaScript, wherever the text is cut', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...SAME),
        fc.string({ unit: fc.constantFrom('a', 'b', 'c', ' ', '1', '-', '\n'), maxLength: 40 }),
        fc.array(fc.integer({ min: 0, max: 7 }), { maxLength: 12 }),
        (pattern, text, pieces) => {
          const expected = text.replaceAll(new RegExp(pattern, 'g'), '<0>');
          expect(replaced([pattern], text, pieces)).toBe(expected);
        },
      ),
      { numRuns: 1000, seed: 3 },
    );
  });

  it('take the leftmost, the longest and the first, in this order', () => {
    expect(replaced(['bc', 'abcd'], 'xabcdx')).toBe('x<1>x');
    expect(replaced(['a|ab', 'ab'], 'ab')).toBe('<0>');
    expect(replaced(['a(bc)?', 'b'], 'abbc abc')).toBe('<0><1><1>c <0>');
  });

  it.each([
    ['[ab]+c', 'a', 'ac', 'c'],
    [KINDS.email, 'x.', 'bob@example.org', '@'],
    [String.raw`\d{4}-\d{4}`, '1', '1111-1111', '-'],
  ])('find %s behind any number of its own characters', (pattern, before, match, secret) => {
    const size = fc.integer({ min: 0, max: 900 });
    fc.assert(
      fc.property(fc.nat(3000), fc.array(size, { maxLength: 4 }), (count, pieces) => {
        const text = replaced([pattern], `${before.repeat(count)}${match} end`, pieces);
        expect(text).toMatch(/<0> end$/);
        expect(text).not.toContain(secret);
      }),
      {
        numRuns: 100,
        seed: 5,
        examples: [508, 1018, 1023].map((count) => [count, [1]]),
      },
    );
  });

  it('find each match of 512 characters, and none of more than 1,024', () => {
    for (const count of [0, 511, 1000, 5000]) {
      const text = `${'b'.repeat(count)}${'a'.repeat(511)}c`;
      expect(replaced(['[ab]+c'], text)).toMatch(/^b*<0>$/);
    }
    const most = `d${'a'.repeat(1022)}c`;
    expect(replaced(['da+c'], `${'d'.repeat(1500)}${most}`)).toBe(`${'d'.repeat(1500)}<0>`);
    expect(replaced(['da+c'], `da${most.slice(1)}`)).not.toContain('<0>');
  });

  it('end in time where backtracking does not', () => {
    const text = `${'a'.repeat(50_000)}!`;
    expect(replaced(['(a|a)*b', '(a+)+c', 'a*a*a*a*a*a*d'], text)).toBe(text);
  });

  it('distinguish small letters from capital ones unless an option prevents it', () => {
    const ignoring = (pattern: string, text: string): string => {
      const rules = [{ pattern, ignoresCase: true, replacement: '*' }];
      const scanner = createScanner(compile(rules));
      return scanner.push(text) + scanner.end();
    };
    const patterns = ['aé', '[a-c]', '[^a-c]', String.raw`\x61`, String.raw`[_\W]`, 'ı', 'ς', 'K'];
    for (const pattern of patterns) {
      const text = 'aÉ Aé bc BC d iIıİ σςΣ kKK sſS ß';
      expect(ignoring(pattern, text)).toBe(text.replaceAll(new RegExp(pattern, 'gi'), '*'));
      expect(replaced([pattern], text)).toBe(text.replaceAll(new RegExp(pattern, 'g'), '<0>'));
    }
  });

  it('pass on what cannot be a match any more, and hold back no more than a match has', () => {
    const scanner = createScanner(compile([{ pattern: KINDS.email, replacement: '[email]' }]));
    expect(scanner.push('write to ')).toBe('write to ');
    expect(scanner.push('ann')).toBe('');
    expect(scanner.push(', or ')).toBe('ann, or ');
    expect(scanner.push('bo')).toBe('');
    expect(scanner.push('b@example.o')).toBe('');
    expect(scanner.push('rg now')).toBe('[email] ');
    expect(scanner.end()).toBe('now');
    const endless = createScanner(compile([{ pattern: 'a+b', replacement: '' }]));
    const passed = endless.push('a'.repeat(10_000)).length;
    expect(passed).toBeGreaterThanOrEqual(10_000 - 1024);
  });

  it.each([
    ['(', 'group'],
    ['a)', 'group'],
    ['[a', 'set'],
    ['a*', 'empty'],
    ['a??b', 'lazy'],
    ['(?=a)b', 'has a lookaround'],
    [String.raw`(a)\1`, 'escape'],
    ['^a', 'anchor'],
    ['*a', 'repeats nothing'],
    ['[z-a]', 'range'],
    ['(a{500}){500}', 'repeats too much'],
    ['a(((){9999}){9999}){9999}', 'repeats too much'],
    ['('.repeat(100), 'deep'],
  ])('refuse %s', (pattern, words) => {
    expect(() => compile([{ pattern, replacement: '' }])).toThrow(
      expect.objectContaining({
        code: 'REQUEST_INVALID',
        message: expect.stringContaining(words) as string,
      }),
    );
  });

  it.each<[keyof typeof KINDS, string, string]>([
    ['email', 'to Ann.B+x@mail.example.org.', 'to <0>.'],
    ['card', 'pay 4111 1111-1111 1111, not 12345', 'pay <0>, not 12345'],
    ['iban', 'to DE89 3704 0044 0532 0130 00 now', 'to <0> now'],
    ['ipv4', 'from 192.168.0.17:80', 'from <0>:80'],
    ['key', 'with sk-proj-abcdefghij0123456789 set', 'with <0> set'],
  ])('of the node find what they are named after: %s', (kind, text, expected) => {
    expect(replaced([KINDS[kind]], text)).toBe(expected);
  });
});

async function start(redactions: readonly Partial<Redaction>[], answer: readonly GenerateEvent[]) {
  const asked: GenerateRequest[] = [];
  const inputs: (readonly string[])[] = [];
  const provider: Provider = {
    name: 'up',
    async *generate(request) {
      asked.push(request);
      yield* answer;
    },
    async embed(request) {
      inputs.push(request.inputs);
      const usage = { inputTokens: 1, outputTokens: 0 };
      return { vectors: request.inputs.map(() => Float32Array.of(1)), usage };
    },
    async close() {},
  };
  const model = { routes: [{ provider: 'up', model: 'm' }], ttftMs: 60_000 };
  const settings = LanguageSettings.parse({
    models: [
      { name: 'a', ...model },
      { name: 'b', ...model },
    ],
    redactions,
  });
  const inner = await openGateway({ settings, providers: [provider] });
  onTestFinished(() => inner.close());
  return { gateway: redacting(settings.redactions)(inner), asked, inputs };
}

const DONE: GenerateEvent = { type: 'finish', reason: 'stop' };
const user = (text: string) => ({
  messages: [{ role: 'user' as const, content: [{ type: 'text' as const, text }] }],
});

test('a prompt reaches no provider with what is redacted, in whatever text or field it is', async () => {
  const email = { name: 'email', kind: 'email', of: 'prompts' } as const;
  const { gateway, asked, inputs } = await start([email], [{ type: 'text', text: 'x@y.zz' }, DONE]);
  const request = requestOf('a', {
    messages: [
      { role: 'system', content: [{ type: 'text', text: 'You are s@e.org' }] },
      { role: 'user', name: 'u@e.org', content: [{ type: 'text', text: 'I am v@e.org' }] },
      {
        role: 'assistant',
        content: [],
        reasoning: 'So w@e.org',
        toolCalls: [{ id: 'c', name: 'f', arguments: '{"to":"t@e.org"}' }],
      },
      { role: 'tool', toolCallId: 'c', content: [{ type: 'text', text: '{"found":"r@e.org"}' }] },
    ],
    extra: { user: 'x@e.org', metadata: { who: ['m@e.org'] } },
  });
  const generation = await gateway.generate(request, callerOf());
  // The rule is for prompts alone.
  expect(textOf(await eventsOf(generation))).toBe('x@y.zz');
  expect(generation.headers()).toMatchObject({ 'skein-redacted': '8' });
  const sent = JSON.stringify(asked);
  expect(sent).not.toContain('@e.org');
  expect(sent.split('[email]')).toHaveLength(9);
  expect(asked[0]?.messages[2]?.toolCalls?.[0]?.arguments).toBe('{"to":"[email]"}');
  await gateway.generate(requestOf('a', { messages: [], prompt: 'p@e.org' }), callerOf());
  expect(asked[1]?.prompt).toBe('[email]');
  await gateway.embed({ model: 'a', inputs: ['of i@e.org'] }, callerOf());
  expect(inputs).toEqual([['of [email]']]);
});

test('an answer reaches its caller without it, in whatever pieces it comes', async () => {
  const answer: GenerateEvent[] = [
    { type: 'reasoning', text: 'Ask a@' },
    { type: 'text', text: 'It is a@e' },
    { type: 'tool-call', index: 0, id: 'c', name: 'send', arguments: '{"to":"a@' },
    { type: 'tool-call', index: 1, id: 'd', name: 'send', arguments: '{"to":"b' },
    { type: 'logprobs', tokens: [{ token: 'a@e.org', logprob: -1 }] },
    { type: 'tool-call', index: 0, arguments: 'e.org"}' },
    { type: 'tool-call', index: 1, arguments: '@e.org"}' },
    { type: 'reasoning', text: 'e.org' },
    { type: 'text', text: '.org' },
    DONE,
  ];
  const redaction = { name: 'email', kind: 'email', of: 'answers', replacement: '***' } as const;
  const { gateway, asked } = await start([redaction], answer);
  const generation = await gateway.generate(
    requestOf('a', { ...user('I am v@e.org'), logprobs: 1 }),
    callerOf(),
  );
  const events = await eventsOf(generation);
  expect(asked[0]).toMatchObject({ ...user('I am v@e.org'), logprobs: undefined });
  expect(textOf(events)).toBe('It is ***');
  const calls = [0, 1].map((index) =>
    events
      .map((event) => (event.type === 'tool-call' && event.index === index ? event.arguments : ''))
      .join(''),
  );
  expect(calls).toEqual(['{"to":"***"}', '{"to":"***"}']);
  expect(JSON.stringify(events)).not.toContain('e.org');
  expect(events.at(-1)).toEqual(DONE);
  expect(generation.headers()).toMatchObject({ 'skein-redacted': '4' });
});

test('nor is it in the fields of parts and calls, and their bytes and signatures stay', async () => {
  const { gateway, asked } = await start([{ name: 'email', kind: 'email' }], [DONE]);
  const url = 'data:image/png;base64,AAAA';
  const signed = { extra_content: { google: { thought_signature: 'a@e.org' } } };
  const audio = { data: 'b@e.org', format: 'wav' };
  const call = { id: 'c', name: 'f', arguments: '{}' };
  const request = requestOf('a', {
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'hi', extra: { citations: [{ title: 'c@e.net' }] } },
          { type: 'image', url, extra: { detail: 'd@e.net' } },
          { type: 'other', value: { type: 'document', source: { text: 'f@e.net' } } },
          { type: 'other', value: { type: 'input_audio', input_audio: audio } },
        ],
      },
      {
        role: 'assistant',
        content: [],
        toolCalls: [{ ...call, extra: { ...signed, function: { note: 'g@e.net' } } }],
      },
    ],
  });
  await eventsOf(await gateway.generate(request, callerOf()));
  const email = '[email]';
  expect(asked[0]!.messages).toMatchObject([
    {
      content: [
        { text: 'hi', extra: { citations: [{ title: email }] } },
        { url, extra: { detail: email } },
        { value: { type: 'document', source: { text: email } } },
        { value: { input_audio: audio } },
      ],
    },
    { toolCalls: [{ ...call, extra: { ...signed, function: { note: email } } }] },
  ]);
});

test('an answer has nothing of it in its fields, however its upstream repeats the text', async () => {
  const details = (text: string) => ({ reasoning_details: [{ type: 'reasoning.text', text }] });
  const signed = { extra_content: { google: { thought_signature: 'a@e.org' } } };
  const found = (title: string) => ({ extra_content: { google: { grounding: [{ title }] } } });
  const { gateway } = await start(
    [{ name: 'email', kind: 'email', of: 'answers' }],
    [
      { type: 'start', id: 'x', extra: { system_fingerprint: 'b@e.net' } },
      { type: 'reasoning', text: 'Ask c@e', extra: signed },
      { type: 'text', text: '', extra: details('Ask c@e') },
      { type: 'reasoning', text: '.net' },
      { type: 'text', text: '', extra: details('.net') },
      { type: 'text', text: 'Done ', extra: found('d@e.net') },
      { type: 'tool-call', index: 0, id: 'c', name: 'f', arguments: '{}', extra: details('f@e') },
      { type: 'finish', reason: 'stop', extra: found('g@e.net') },
      { type: 'usage', usage: { inputTokens: 1, outputTokens: 1 }, extra: { note: 'h@e.net' } },
    ],
  );
  const generation = await gateway.generate(requestOf('a'), callerOf());
  const email = '[email]';
  expect(await eventsOf(generation)).toEqual([
    { type: 'start', id: 'x', extra: { system_fingerprint: email } },
    { type: 'reasoning', text: 'Ask ', extra: signed },
    { type: 'text', text: 'Done ', extra: found(email) },
    { type: 'tool-call', index: 0, id: 'c', name: 'f', arguments: '{}' },
    { type: 'reasoning', text: email },
    { type: 'finish', reason: 'stop', extra: found(email) },
    { type: 'usage', usage: { inputTokens: 1, outputTokens: 1 }, extra: { note: email } },
  ]);
  expect(generation.headers()).toMatchObject({ 'skein-redacted': '5' });
});

test('a redaction is for its models and tenants', async () => {
  const rules = [
    { name: 'one', pattern: 'one', models: ['a'] },
    { name: 'two', pattern: 'TWO', ignoreCase: true, tenants: ['shop'] },
  ];
  const { gateway, asked } = await start(rules, [DONE]);
  for (const model of ['a', 'b']) {
    for (const tenant of ['shop', 'other']) {
      await gateway.generate(requestOf(model, user('one two')), callerOf({ tenant }));
    }
  }
  const parts = asked.map(({ messages }) => messages[0]?.content[0]);
  expect(parts.map((part) => (part?.type === 'text' ? part.text : ''))).toEqual([
    '[one] [two]',
    '[one] two',
    'one [two]',
    'one two',
  ]);
});

test('a long text is scanned in turns of the event loop, with the same result', async () => {
  const program = compile([{ pattern: String.raw`\d{3}-\d{4}`, replacement: '#' }]);
  const texts = ['call 555-1234 now, '.repeat(8000), 'short 555-1234', 'none'];
  const by = (replace: (text: string) => string) => texts.map((text) => replace(text));
  let turns = 0;
  let isOpen = true;
  const tick = (): void => {
    turns += 1;
    if (isOpen) setImmediate(tick);
  };
  tick();
  let matches = 0;
  const found = await inTurns(program, ([first = 0]) => (matches += first), by);
  isOpen = false;
  expect(found).toEqual(texts.map((text) => text.replaceAll('555-1234', '#')));
  expect(matches).toBe(8001);
  expect(turns).toBeGreaterThan(3);
});
