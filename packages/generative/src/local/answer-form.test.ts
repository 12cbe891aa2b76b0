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

it('lets the model call or answer with a schema, and nothing else', () => {
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

it('follows the references of each tool from its own parameters', () => {
  const treeOf = (type: string) => ({
    $defs: { node: { type } },
    properties: { n: { $ref: '#/$defs/node' }, kid: { $ref: '#' } },
    required: ['n'],
  });
  const tools = [
    { name: 'flag', parameters: treeOf('boolean'), strict: true },
    { name: 'count', parameters: treeOf('integer'), strict: true },
  ];
  const calls = { flag: '{"n": true, "kid": {"n": false}}', count: '{"n": 1, "kid": {"n": 2}}' };
  const format = { type: 'schema', name: 'x', schema: { type: 'null' } } as const;
  for (const more of [{}, { toolChoice: 'required' }, { format }] as const) {
    const { grammar } = answerOf({ ...TOOLS, tools, ...more });
    const accepts = (name: string, given: string): boolean => {
      const call = `{"name": "${name}", "arguments": ${given}}`;
      return isIn(grammar!, 'toolChoice' in more ? call : `<tool_call>${call}</tool_call>`);
    };
    for (const [name, other] of [
      ['flag', 'count'],
      ['count', 'flag'],
    ] as const) {
      expect(accepts(name, calls[name])).toBe(true);
      expect(accepts(name, calls[other])).toBe(false);
    }
  }
});

it('names the tool whose parameters it cannot keep, and bounds the parameters of all tools together', () => {
  const toolChoice = 'required';
  const bad = { $defs: { a: { pattern: 'x' } }, properties: { n: { $ref: '#/$defs/a' } } };
  const named = [{ name: 'add' }, { name: 'look', parameters: bad }];
  expect(() => answerOf({ ...TOOLS, tools: named, toolChoice })).toThrow(
    'look.arguments#/$defs/a has the keyword "pattern"',
  );
  const anyOf = Array.from({ length: 1700 }, () => ({ type: 'null' }));
  const tools = ['a', 'b', 'c'].map((name) => ({
    name,
    parameters: { properties: { n: { anyOf } } },
  }));
  expect(answerOf({ ...TOOLS, tools: tools.slice(1), toolChoice }).grammar).toBeDefined();
  expect(() => answerOf({ ...TOOLS, tools, toolChoice })).toThrow(/more than 5000/);
});

it('refuses a required tool that is not there', () => {
  expect(() => answerOf({ ...TOOLS, toolChoice: { name: 'other' } })).toThrow(/not among/);
});
