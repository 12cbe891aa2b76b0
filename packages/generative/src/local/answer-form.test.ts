import { expect, it } from 'vitest';
import { answerOf } from './answer-form.ts';
import { accepts as isIn } from './grammar/testing/texts.ts';

const TOOLS = { model: 'm', messages: [], stream: true, tools: [{ name: 'add' }] } as const;

it.each([1, 2, 3, 7, 100])('finds marked calls in pieces of %i characters', (size) => {
  const text =
    'Let me <see>: <tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>\n<tool_call>{"name":"add","arguments":{}}</tool_call> done <tool_call>no json</tool_call> <tool';
  const read = answerOf(TOOLS).read(0);
  const events = [];
  for (let i = 0; i < text.length; i += size)
    events.push(...read(text.slice(i, i + size), undefined));
  events.push(...read('', 'stop'));
  const calls = events.filter(({ type }) => type === 'tool-call');
  expect(calls).toMatchObject([
    { index: 0, name: 'add', arguments: '{"a":1}' },
    { index: 1, name: 'add', arguments: '{}' },
  ]);
  const shown = events.map((event) => (event.type === 'text' ? event.text : '')).join('');
  expect(shown.replaceAll(/\s+/g, ' ')).toBe(
    'Let me <see>: done <tool_call>no json</tool_call> <tool',
  );
  expect(events.at(-1)).toEqual({ type: 'finish', reason: 'tool_calls' });
});

it('lets the model call or answer beside a schema, and nothing else', () => {
  const schema = { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] };
  const tools = [{ name: 'add', parameters: { properties: { n: { type: 'boolean' } } } }];
  const asked = { ...TOOLS, tools, format: { type: 'schema', name: 'x', schema } } as const;
  const accepts = (text: string, more: object = {}): boolean =>
    isIn(answerOf({ ...asked, ...more }).grammar!, text);
  const call = '<tool_call>\n{"name": "add", "arguments": {"n": true}}\n</tool_call>';
  expect(accepts('{"a":1}')).toBe(true);
  expect(accepts(call)).toBe(true);
  expect(accepts(`${call}\n${call}`)).toBe(true);
  expect(accepts(`${call}\n${call}`, { parallelToolCalls: false })).toBe(false);
  expect(accepts(`{"a":1}${call}`)).toBe(false);
  expect(accepts(call.replace('true', '1'))).toBe(false);
  expect(accepts(call, { toolChoice: 'none' })).toBe(false);
  const read = answerOf(asked).read(0);
  expect([...read(call, 'stop')]).toMatchObject([
    { type: 'tool-call', name: 'add', arguments: '{"n":true}' },
    { type: 'finish', reason: 'tool_calls' },
  ]);
});

it('holds the calls that it may make to the schemas of strict tools, and no text', () => {
  const parameters = { properties: { n: { type: 'boolean' } }, required: ['n'] };
  const tools = [
    { name: 'add', parameters, strict: true },
    { name: 'look', parameters },
  ];
  const { grammar } = answerOf({ ...TOOLS, tools });
  const accepts = (text: string): boolean => isIn(grammar!, text);
  const call = '<tool_call>\n{"name": "add", "arguments": {"n": true}}\n</tool_call>';
  for (const text of ['', 'Let me <see>: 1 < 2', '<tool_cal', '<<tool_ca<tool_calm>', 'größer 🌊'])
    expect([text, accepts(text)]).toEqual([text, true]);
  expect(accepts(`First, ${call} then\n${call}.`)).toBe(true);
  for (const mark of ['<', '<tool_', '<tool_call<'])
    expect(accepts(`${mark}${call.replace('true', '1')}`)).toBe(false);
  expect(accepts(call.replace('"n": true', ''))).toBe(false);
  expect(accepts(call.replace('add', 'other'))).toBe(false);
  expect(accepts('<tool_call>text')).toBe(false);
  // One that is not strict may have any arguments.
  expect(accepts(call.replace('add', 'look').replace('true', '1'))).toBe(true);
  expect(answerOf({ ...TOOLS, tools: [tools[1]!] }).grammar).toBeUndefined();
  expect(answerOf({ ...TOOLS, tools, toolChoice: 'none' }).grammar).toBeUndefined();
  const pattern = { properties: { a: { type: 'string', pattern: 'x' } } };
  const unkept = [{ name: 'add', parameters: pattern, strict: true }];
  expect(() => answerOf({ ...TOOLS, tools: unkept })).toThrow(/arguments.*"pattern"/);
});

it('refuses a required tool that is not there', () => {
  expect(() => answerOf({ ...TOOLS, toolChoice: { name: 'other' } })).toThrow(/not among/);
});
