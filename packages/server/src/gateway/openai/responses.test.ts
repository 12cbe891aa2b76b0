/** OpenAI's responses, and the endpoints that are smaller: models, completions, embeddings. */
import { describe, expect, test } from 'vitest';
import { events, startLanguageFaces, USAGE } from '../language/testing/scripted-gateway.ts';
import { send } from '../testing/http-face.ts';
import { raw } from '../testing/http-sockets.ts';
import { ask, eventsOf } from './testing/calls.ts';

describe('the other endpoints', () => {
  test('lists the models', async () => {
    const { port } = await startLanguageFaces();
    const model = { id: 'chat', object: 'model', created: 1767225600, owned_by: 'scripted' };
    // Google's clients ask here too, and read other fields.
    const google = { name: 'models/chat', displayName: 'chat' };
    expect((await send(port, '/v1/models')).json).toMatchObject({
      object: 'list',
      data: [model],
      models: [google],
    });
    expect((await send(port, '/v1/models/chat')).json).toMatchObject({ ...model, ...google });
  });

  test('continues a prompt', async () => {
    const { port, gateway } = await startLanguageFaces();
    const body = { model: 'chat', prompt: ['Once'], max_tokens: 2 };
    expect((await ask(port, body, '/v1/completions')).json).toMatchObject({
      object: 'text_completion',
      choices: [{ text: 'Hello', index: 0, finish_reason: 'stop' }],
    });
    expect(gateway.requests[0]).toMatchObject({ prompt: 'Once', messages: [], maxTokens: 2 });
    const { text } = await ask(port, { ...body, stream: true }, '/v1/completions');
    expect(eventsOf(text)).toMatchObject([
      { choices: [{ text: 'Hel', finish_reason: null }] },
      { choices: [{ text: 'lo' }] },
      { choices: [{ text: '', finish_reason: 'stop' }] },
      '[DONE]',
    ]);
  });

  test('streams the log probabilities of a continued prompt, also of the only choice', async () => {
    const { port, gateway } = await startLanguageFaces();
    gateway.script = events(
      { type: 'text', text: 'A' },
      {
        type: 'logprobs',
        tokens: [{ token: 'A', logprob: -0.5, top: [{ token: 'B', logprob: -1 }] }],
      },
      { type: 'finish', reason: 'stop' },
    );
    const body = { model: 'chat', prompt: 'Once', logprobs: 1, stream: true };
    const { text } = await ask(port, body, '/v1/completions');
    const logprobs = { tokens: ['A'], token_logprobs: [-0.5], top_logprobs: [{ B: -1 }] };
    expect(eventsOf(text)).toMatchObject([
      { choices: [{ text: 'A' }] },
      { choices: [{ index: 0, logprobs }] },
      { choices: [{ finish_reason: 'stop' }] },
      '[DONE]',
    ]);
  });

  test('embeds, in base64 and as numbers', async () => {
    const { port } = await startLanguageFaces();
    const body = { model: 'chat', input: ['ab', 'c'], encoding_format: 'base64' };
    const { json, headers } = await ask(port, body, '/v1/embeddings');
    // The form in which the gateway writes the cost of an answer.
    expect(headers['skein-cost-usd']).toBe('0.002500000');
    const expected = Buffer.from(Float32Array.of(2, 0.5, -0.25).buffer).toString('base64');
    expect(json).toMatchObject({
      data: [{ index: 0, embedding: expected }, { index: 1 }],
      usage: { prompt_tokens: 5 },
    });
    const floats = await ask(port, { model: 'chat', input: 'abc' }, '/v1/embeddings');
    expect(floats.json).toMatchObject({ data: [{ embedding: [3, 0.5, -0.25] }] });
    const tokens = await ask(port, { model: 'chat', input: [[1, 2]] }, '/v1/embeddings');
    expect(tokens.json).toMatchObject({ error: { param: 'input[0]' } });
  });
});

describe('responses', () => {
  const ENDPOINT = '/v1/responses';

  test('answers whole and stores nothing', async () => {
    const { port, gateway } = await startLanguageFaces();
    const { json } = await ask(
      port,
      { model: 'chat', input: 'Hi', instructions: 'Be short.' },
      ENDPOINT,
    );
    expect(json).toMatchObject({
      object: 'response',
      status: 'completed',
      store: false,
      output: [
        { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Hello' }] },
      ],
      usage: { input_tokens: 5, output_tokens: 2, total_tokens: 7 },
    });
    expect(gateway.requests[0]?.messages).toMatchObject([{ role: 'system' }, { role: 'user' }]);
    const stored = await ask(
      port,
      { model: 'chat', input: 'Hi', previous_response_id: 'resp_1' },
      ENDPOINT,
    );
    expect(stored.json).toMatchObject({
      error: { param: 'previous_response_id', code: 'generation_unsupported' },
    });
  });

  test('streams its events in order, each with its number', async () => {
    const { port, gateway } = await startLanguageFaces();
    gateway.script = events(
      { type: 'reasoning', text: 'Hm' },
      { type: 'text', text: 'Hel' },
      { type: 'text', text: 'lo' },
      { type: 'tool-call', index: 0, id: 'a', name: 'look', arguments: '{}' },
      { type: 'finish', reason: 'tool_calls' },
      { type: 'usage', usage: USAGE },
    );
    const { text } = await ask(port, { model: 'chat', input: 'Hi', stream: true }, ENDPOINT);
    const list = eventsOf(text) as { type: string; sequence_number: number; response?: object }[];
    expect(list.map(({ type }) => type.replace('response.', ''))).toEqual([
      'created',
      'in_progress',
      'output_item.added',
      'reasoning_summary_part.added',
      'reasoning_summary_text.delta',
      'output_item.added',
      'content_part.added',
      'output_text.delta',
      'output_text.delta',
      'output_item.added',
      'function_call_arguments.delta',
      'reasoning_summary_text.done',
      'reasoning_summary_part.done',
      'output_item.done',
      'output_text.done',
      'content_part.done',
      'output_item.done',
      'function_call_arguments.done',
      'output_item.done',
      'completed',
    ]);
    expect(list.map(({ sequence_number: number }) => number)).toEqual(
      list.map((_, index) => index),
    );
    expect(list.at(-1)).toMatchObject({
      response: {
        status: 'completed',
        output: [
          { type: 'reasoning', summary: [{ text: 'Hm' }] },
          { type: 'message', content: [{ text: 'Hello' }] },
          {
            type: 'function_call',
            call_id: 'a',
            name: 'look',
            arguments: '{}',
            status: 'completed',
          },
        ],
      },
    });
  });

  test('an answer that hits its limit is incomplete; one that breaks has failed', async () => {
    const { port, gateway } = await startLanguageFaces();
    gateway.script = events({ type: 'text', text: 'Hel' }, { type: 'finish', reason: 'length' });
    const body = { model: 'chat', input: 'Hi' };
    expect((await ask(port, body, ENDPOINT)).json).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
    });
    gateway.script = events({ type: 'text', text: 'Hel' });
    const cut = JSON.stringify({ ...body, stream: true });
    const client = raw(port);
    client.socket.write(
      `POST ${ENDPOINT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${cut.length}\r\n\r\n${cut}`,
    );
    const answer = await client.until(/\r\n0\r\n\r\n$/);
    expect(answer).toMatch(/event: error\n/);
    expect(answer).toMatch(/event: response.failed\n.*"status":"failed"/);
    expect(answer).not.toContain('response.completed');
  });

  test('streams log probabilities with its text, and refuses what it would not keep', async () => {
    const { port, gateway } = await startLanguageFaces();
    const token = { token: 'A', logprob: -0.5 };
    gateway.script = events(
      { type: 'logprobs', tokens: [token] },
      { type: 'text', text: 'A' },
      { type: 'finish', reason: 'stop' },
    );
    const body = { model: 'chat', input: 'Hi', top_logprobs: 0, text: { verbosity: 'low' } };
    const { text } = await ask(port, { ...body, stream: true }, ENDPOINT);
    const deltas = eventsOf(text).filter(
      (each) => (each as { type: string }).type === 'response.output_text.delta',
    );
    expect(deltas).toMatchObject([
      { delta: '', logprobs: [token] },
      { delta: 'A', logprobs: [] },
    ]);
    expect(gateway.requests[0]).toMatchObject({ extra: { verbosity: 'low' } });
    for (const [more, param] of [
      [{ truncation: 'auto' }, 'truncation'],
      [{ include: ['usage'] }, 'include[0]'],
      [{ prompt: { id: 'p' } }, 'prompt'],
    ] as const) {
      const { status, json } = await ask(port, { ...body, ...more }, ENDPOINT);
      expect([status, json]).toMatchObject([400, { error: { param } }]);
    }
  });

  test('takes the items of a conversation with tools', async () => {
    const { port, gateway } = await startLanguageFaces();
    await ask(
      port,
      {
        model: 'chat',
        input: [
          { role: 'user', content: [{ type: 'input_text', text: 'Hi' }] },
          { type: 'reasoning', summary: [] },
          { type: 'function_call', call_id: 'a', name: 'look', arguments: '{}' },
          { type: 'function_call', call_id: 'b', name: 'look', arguments: '{}' },
          { type: 'function_call_output', call_id: 'a', output: 'a cat' },
        ],
        tools: [{ type: 'function', name: 'look', parameters: { type: 'object' }, strict: true }],
        tool_choice: 'required',
        text: { format: { type: 'json_schema', name: 'x', schema: {}, strict: true } },
      },
      ENDPOINT,
    );
    expect(gateway.requests[0]).toMatchObject({
      messages: [
        { role: 'user' },
        { role: 'assistant', toolCalls: [{ id: 'a' }, { id: 'b' }] },
        { role: 'tool', toolCallId: 'a', content: [{ text: 'a cat' }] },
      ],
      tools: [{ name: 'look', strict: true }],
      toolChoice: 'required',
      format: { type: 'schema', name: 'x' },
    });
  });
});
