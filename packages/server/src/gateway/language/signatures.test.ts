/** Signatures of Gemini's thoughts, texts and calls, through each face and back. */
import { describe, expect, test } from 'vitest';
import { CHAT, eventsOf, type Fields, hello, startUpstream } from './testing/fixed-upstream.ts';

test('of the thoughts of Gemini: their signatures come back to them, through both faces', async () => {
  const thoughts = [
    { text: 'How many? ', thought: true, thoughtSignature: 'one' },
    { text: 'Two.', thought: true, thoughtSignature: 'two' },
  ];
  const answer = { text: 'Both.', thoughtSignature: 'text' };
  const parts = [...thoughts, answer];
  const { ask, bodies } = await startUpstream([
    { candidates: [{ content: { parts: thoughts.slice(0, 1) } }] },
    { candidates: [{ content: { parts: parts.slice(1) }, finishReason: 'STOP' }] },
  ]);
  const asked = { role: 'user', parts: [{ text: 'Hi' }] };
  const whole = await ask('/v1beta/models/gemini:generateContent', { contents: [asked] });
  const [{ content }] = whole.json['candidates'] as [{ content: { parts: Fields[] } }];
  expect(content.parts).toEqual(parts);
  await ask('/v1beta/models/gemini:generateContent', { contents: [asked, content, asked] });
  expect(bodies.at(-1)!['contents']).toEqual([asked, { role: 'model', parts }, asked]);

  const chat = (await ask(CHAT, { model: 'gemini', messages: hello })).json;
  const [{ message }] = chat['choices'] as [{ message: Fields }];
  expect(message).toMatchObject({ content: 'Both.', reasoning_content: 'How many? Two.' });
  await ask(CHAT, { model: 'gemini', messages: [...hello, message, ...hello] });
  expect(bodies.at(-1)!['contents']).toEqual([asked, { role: 'model', parts }, asked]);

  // A client that joins deltas: texts are appended, and of all else the last one counts.
  const { text } = await ask(CHAT, { model: 'gemini', messages: hello, stream: true });
  const joined: Record<string, unknown> = { role: 'assistant' };
  let google: Fields = {};
  for (const { choices } of eventsOf(text)) {
    const [choice] = choices as [{ delta: Fields }] | [];
    for (const [name, value] of Object.entries(choice?.delta ?? {})) {
      if (name === 'extra_content') google = { ...google, ...(value as { google: Fields }).google };
      else if (name !== 'role')
        joined[name] = `${(joined[name] as string) ?? ''}${value as string}`;
    }
  }
  joined['extra_content'] = { google };
  await ask(CHAT, { model: 'gemini', messages: [...hello, joined, ...hello] });
  expect(bodies.at(-1)!['contents']).toEqual([asked, { role: 'model', parts }, asked]);
});

describe('of Gemini, through responses', () => {
  const RESPONSES = '/v1/responses';
  const asked = { role: 'user', parts: [{ text: 'Hi' }] };
  const thoughts = [
    { text: 'How many? ', thought: true, thoughtSignature: 'one' },
    { text: 'Two.', thought: true, thoughtSignature: 'two' },
  ];
  const answer = { text: 'I look.', thoughtSignature: 'text' };
  const called = (id: string) => ({
    functionCall: { id, name: 'look', args: { at: id } },
    thoughtSignature: `of ${id}`,
  });
  const outputOf = (id: string) => ({
    type: 'function_call_output',
    call_id: id,
    output: '{"n":1}',
  });
  const result = (id: string) => ({
    functionResponse: { id, name: 'look', response: { n: 1 } },
  });
  /** The fields of an item that clients of OpenAI's API keep. */
  const KNOWN: Readonly<Record<string, readonly string[]>> = {
    reasoning: ['type', 'id', 'summary', 'encrypted_content'],
    message: ['type', 'id', 'role', 'content', 'status'],
    function_call: ['type', 'id', 'call_id', 'name', 'arguments', 'status'],
  };
  const known = (item: Fields): Fields =>
    Object.fromEntries(KNOWN[item['type'] as string]!.map((name) => [name, item[name]]));

  test.for([
    ['thoughts, a text and calls', [...thoughts, answer, called('a'), called('b')]],
    ['a call alone', [called('a')]],
    ['thoughts and a call', [...thoughts, called('a')]],
    ['a text and a call', [{ text: 'I look.' }, called('a')]],
  ] as const)('the signatures of %s come back', async ([, parts]) => {
    const { ask, bodies } = await startUpstream([
      { candidates: [{ content: { parts: parts.slice(0, 1) } }] },
      { candidates: [{ content: { parts: parts.slice(1) }, finishReason: 'STOP' }] },
    ]);
    const whole = (await ask(RESPONSES, { model: 'gemini', input: 'Hi' })).json;
    const { text } = await ask(RESPONSES, { model: 'gemini', input: 'Hi', stream: true });
    const { response } = eventsOf(text).at(-1) as { response: Fields };
    const done = eventsOf(text).filter(({ type }) => type === 'response.output_item.done');
    const ids = parts.flatMap((part) => ('functionCall' in part ? [part.functionCall.id] : []));
    for (const output of [whole['output'], response['output'], done.map(({ item }) => item)]) {
      for (const kept of [output as Fields[], (output as Fields[]).map(known)]) {
        const input = [{ role: 'user', content: 'Hi' }, ...kept, ...ids.map(outputOf)];
        await ask(RESPONSES, { model: 'gemini', input });
        expect(bodies.at(-1)!['contents']).toEqual([
          asked,
          { role: 'model', parts },
          { role: 'user', parts: ids.map(result) },
        ]);
      }
    }
  });

  test('content of another server, and any that is broken, is ignored', async () => {
    const { ask, bodies } = await startUpstream([
      { candidates: [{ content: { parts: [{ text: 'Hi' }] }, finishReason: 'STOP' }] },
    ]);
    const broken = [
      'null',
      '[]',
      '{"thoughts":7,"text":7,"calls":{"a":1}}',
      '{"calls":[[],[7,7],7]}',
      // The form that this node writes, but not sealed by it.
      '{"thoughts":[],"calls":[["a","forged"]]}',
    ];
    for (const encrypted_content of [
      'gAAAAB',
      'skein:',
      'skein:%',
      7,
      null,
      ...broken.map((text) => `skein:${Buffer.from(text).toString('base64url')}`),
    ]) {
      const reasoning = { type: 'reasoning', summary: [], encrypted_content };
      const call = { type: 'function_call', call_id: 'a', name: 'look', arguments: '{}' };
      const input = [{ role: 'user', content: 'Hi' }, reasoning, call, outputOf('a'), reasoning];
      await ask(RESPONSES, { model: 'gemini', input });
      expect(bodies.at(-1)!['contents']).toEqual([
        asked,
        { role: 'model', parts: [{ functionCall: { id: 'a', name: 'look', args: {} } }] },
        { role: 'user', parts: [result('a')] },
      ]);
    }
  });
});
