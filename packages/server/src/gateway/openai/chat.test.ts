/** Chat completions of OpenAI's API, whole and streamed. */
import { describe, expect, test } from 'vitest';
import {
  events,
  startLanguageFaces,
  untilAborted,
  USAGE,
} from '../language/testing/scripted-gateway.ts';
import { post, send } from '../testing/http-face.ts';
import { raw } from '../testing/http-sockets.ts';
import { CHAT, ask, eventsOf, hello } from './testing/calls.ts';

describe('chat completions', () => {
  test('answers whole, with the counted tokens and the cost', async () => {
    const { port } = await startLanguageFaces();
    const { status, json, headers } = await ask(port, hello);
    expect(status).toBe(200);
    expect(json).toMatchObject({
      object: 'chat.completion',
      model: 'chat',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Hello', refusal: null },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: {
        prompt_tokens: 5,
        completion_tokens: 2,
        total_tokens: 7,
        prompt_tokens_details: { cached_tokens: 3 },
        cost: 0.0025,
      },
    });
    expect(headers['skein-cost-usd']).toBe('0.0025');
  });

  test('passes on whether a cut stream is to be continued, and the text so far', async () => {
    const { port, gateway } = await startLanguageFaces();
    const asking = (value: string) =>
      send(port, CHAT, post(JSON.stringify(hello), { 'skein-continue': value }));
    expect((await asking('true')).status).toBe(200);
    expect((await asking('yes')).json).toMatchObject({ error: { param: 'Skein-Continue' } });
    await ask(port, { ...hello, skein_continuation: 'Hel' });
    expect(gateway.callers.map(({ continues }) => continues)).toEqual([true, false]);
    expect(gateway.requests[1]).toMatchObject({ continuation: { text: 'Hel' } });
    expect(gateway.requests[1]?.extra).toBeUndefined();
  });

  test('passes the trace of its client on', async () => {
    const { port, gateway } = await startLanguageFaces();
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    for (const sent of [{ traceparent, tracestate: 'a=b' }, { traceparent: 'nonsense' }]) {
      await send(port, CHAT, post(JSON.stringify(hello), sent));
    }
    expect(gateway.callers.map(({ trace }) => trace)).toEqual([
      { traceparent, tracestate: 'a=b' },
      undefined,
    ]);
  });

  test('streams the role first, the finish in the last chunk, the usage without choices', async () => {
    const { port } = await startLanguageFaces();
    const request = { ...hello, stream: true, stream_options: { include_usage: true } };
    const { text, headers } = await ask(port, request);
    expect(headers['content-type']).toBe('text/event-stream; charset=utf-8');
    expect(headers['skein-cost-limit-usd']).toBe('0.01');
    const chunks = eventsOf(text);
    expect(chunks).toMatchObject([
      { choices: [{ delta: { role: 'assistant', content: '' }, finish_reason: null }] },
      { object: 'chat.completion.chunk', choices: [{ delta: { content: 'Hel' } }], usage: null },
      { choices: [{ delta: { content: 'lo' } }] },
      { choices: [{ delta: {}, finish_reason: 'stop' }] },
      { choices: [], usage: { total_tokens: 7, cost: 0.0025 } },
      '[DONE]',
    ]);
  });

  test('streams parallel calls of tools by index, with id and name once', async () => {
    const { port, gateway } = await startLanguageFaces();
    const signature = { extra_content: { google: { thought_signature: 'c2ln' } } };
    gateway.script = events(
      { type: 'tool-call', index: 0, id: 'a', name: 'weather', arguments: '', extra: signature },
      { type: 'tool-call', index: 1, id: 'b', name: 'time', arguments: '{"z' },
      { type: 'tool-call', index: 0, name: 'weather', arguments: '{"city":"Ulm"}' },
      { type: 'tool-call', index: 1, name: 'time', arguments: 'one":1}' },
      { type: 'finish', reason: 'stop' },
      { type: 'usage', usage: USAGE },
    );
    const tools = [{ type: 'function', function: { name: 'weather', parameters: {} } }];
    const streamed = eventsOf((await ask(port, { ...hello, tools, stream: true })).text);
    expect(streamed.slice(1)).toMatchObject([
      {
        choices: [
          {
            delta: {
              tool_calls: [
                {
                  index: 0,
                  id: 'a--signed-c2ln',
                  type: 'function',
                  function: { name: 'weather' },
                  ...signature,
                },
              ],
            },
          },
        ],
      },
      {
        choices: [
          { delta: { tool_calls: [{ index: 1, id: 'b', function: { arguments: '{"z' } }] } },
        ],
      },
      {
        choices: [
          { delta: { tool_calls: [{ index: 0, function: { arguments: '{"city":"Ulm"}' } }] } },
        ],
      },
      { choices: [{ delta: { tool_calls: [{ index: 1, function: { arguments: 'one":1}' } }] } }] },
      { choices: [{ finish_reason: 'tool_calls' }] },
      '[DONE]',
    ]);
    // The name is not repeated, though the provider did.
    expect(JSON.stringify(streamed).split('"weather"')).toHaveLength(2);
    const { json } = await ask(port, { ...hello, tools });
    expect(json).toMatchObject({
      choices: [
        {
          finish_reason: 'tool_calls',
          message: {
            content: null,
            tool_calls: [
              {
                id: 'a--signed-c2ln',
                function: { name: 'weather', arguments: '{"city":"Ulm"}' },
                ...signature,
              },
              { id: 'b', function: { name: 'time', arguments: '{"zone":1}' } },
            ],
          },
        },
      ],
    });
  });

  test('passes the whole conversation on, with what it has no word for', async () => {
    const { port, gateway } = await startLanguageFaces();
    const image = 'data:image/png;base64,iVBORw0KGgo=';
    await ask(port, {
      model: 'chat',
      messages: [
        { role: 'developer', content: 'Be short.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is this?' },
            { type: 'image_url', image_url: { url: image, detail: 'low' } },
          ],
        },
        {
          role: 'assistant',
          content: null,
          tool_calls: [
            {
              id: 'a',
              type: 'function',
              function: { name: 'look', arguments: '{}' },
              extra_content: { google: { thought_signature: 'c2ln' } },
            },
          ],
        },
        { role: 'tool', tool_call_id: 'a', content: 'a cat' },
      ],
      tools: [{ type: 'function', function: { name: 'look', parameters: { type: 'object' } } }],
      tool_choice: { type: 'function', function: { name: 'look' } },
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'animal', schema: { type: 'object' }, strict: true },
      },
      temperature: 0.5,
      seed: 7,
      stop: 'END',
      n: 2,
      max_tokens: 9,
      logprobs: true,
      top_logprobs: 3,
      reasoning_effort: 'low',
      logit_bias: { 7: -100 },
    });
    expect(gateway.requests[0]).toMatchObject({
      messages: [
        { role: 'system', content: [{ type: 'text', text: 'Be short.' }] },
        {
          role: 'user',
          content: [{ type: 'text' }, { type: 'image', url: image, extra: { detail: 'low' } }],
        },
        {
          role: 'assistant',
          content: [],
          toolCalls: [
            {
              id: 'a',
              name: 'look',
              extra: { extra_content: { google: { thought_signature: 'c2ln' } } },
            },
          ],
        },
        { role: 'tool', toolCallId: 'a', content: [{ text: 'a cat' }] },
      ],
      tools: [{ name: 'look', parameters: { type: 'object' } }],
      toolChoice: { name: 'look' },
      format: { type: 'schema', name: 'animal', strict: true },
      sampling: { temperature: 0.5, seed: 7 },
      stop: ['END'],
      choices: 2,
      maxTokens: 9,
      logprobs: 3,
      effort: 'low',
      extra: { logit_bias: { 7: -100 } },
    });
  });

  test('answers several choices with their log probabilities', async () => {
    const { port, gateway } = await startLanguageFaces();
    gateway.script = events(
      { type: 'text', text: 'A', choice: 0 },
      {
        type: 'logprobs',
        tokens: [{ token: 'A', logprob: -0.5, top: [{ token: 'B', logprob: -1 }] }],
      },
      { type: 'text', text: 'B', choice: 1 },
      { type: 'finish', reason: 'length', choice: 1 },
      { type: 'finish', reason: 'stop' },
    );
    expect((await ask(port, { ...hello, n: 2 })).json).toMatchObject({
      choices: [
        {
          message: { content: 'A' },
          logprobs: {
            content: [
              {
                token: 'A',
                logprob: -0.5,
                bytes: [65],
                top_logprobs: [{ token: 'B', bytes: [66] }],
              },
            ],
          },
        },
        { index: 1, message: { content: 'B' }, finish_reason: 'length' },
      ],
    });
    const chunks = eventsOf((await ask(port, { ...hello, n: 2, stream: true })).text);
    const [, last] = chunks.slice(-3) as { choices: { index: number; finish_reason: string }[] }[];
    expect(last).toMatchObject({ choices: [{ index: 0, finish_reason: 'stop' }] });
  });

  test('reports in the stream that it broke, and never ends like a whole answer', async () => {
    const { port, gateway } = await startLanguageFaces();
    gateway.script = async function* () {
      yield { type: 'text', text: 'Hel' };
      const { SkeinError } = await import('@skein/api');
      throw new SkeinError('PROVIDER_CUT', 'The provider "scripted" ended in the middle.');
    };
    const body = JSON.stringify({ ...hello, stream: true });
    const client = raw(port);
    client.socket.write(
      `POST ${CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    // HTTP ends the body, and the connection stays.
    const answer = await client.until(/\r\n0\r\n\r\n$/);
    expect(answer).toContain('"content":"Hel"');
    expect(answer).toMatch(
      /data: \{"error":\{.*"type":"server_error".*"skein_code":"PROVIDER_CUT"/,
    );
    expect(answer).not.toContain('[DONE]');
    const whole = await ask(port, hello);
    expect(whole.status).toBe(502);
    expect(whole.json).toMatchObject({ error: { skein_code: 'PROVIDER_CUT' } });
  });

  test('a client that leaves ends the generation', async () => {
    const { port, gateway, access } = await startLanguageFaces();
    gateway.script = async function* (_, { signal }) {
      yield { type: 'text', text: 'Hel' };
      await untilAborted(signal);
    };
    const leaving = new AbortController();
    const response = await fetch(`http://127.0.0.1:${port}${CHAT}`, {
      method: 'POST',
      body: JSON.stringify({ ...hello, stream: true }),
      signal: leaving.signal,
    });
    const reader = response.body!.getReader();
    await reader.read();
    expect(access.inFlight).toBe(1);
    leaving.abort();
    await expect.poll(() => gateway.cancelled).toBe(1);
    await expect.poll(() => access.inFlight).toBe(0);
  });

  test('a key that is revoked ends its stream', async () => {
    const { port, gateway, access } = await startLanguageFaces();
    gateway.script = async function* (_, { signal }) {
      yield { type: 'text', text: 'Hel' };
      await untilAborted(signal);
    };
    const client = raw(port);
    const body = JSON.stringify({ ...hello, stream: true });
    client.socket.write(
      `POST ${CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await client.until(/Hel/);
    access.endKeys();
    const answer = await client.until(/\r\n0\r\n\r\n$/);
    expect(answer).toMatch(/"type":"authentication_error".*"code":"invalid_api_key"/);
  });
});
