/**
 * Tools and back over a Gemini that refuses a call without the signature that it came with, as Gemini
 * 3 does, by clients that others wrote, unmodified.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GoogleGenAI } from '@google/genai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { type AIMessage, type AIMessageChunk, HumanMessage } from '@langchain/core/messages';
import { tool as langchainTool } from '@langchain/core/tools';
import { ChatOpenAI } from '@langchain/openai';
import { generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { startTestNode, type TestNode } from '../testing/test-node.ts';

const SIGNATURE = Buffer.from('a thought').toString('base64');
const model = 'assistant';
const ASKED = 'How is the weather in Ulm?';
const ANSWER = 'It is sunny.';
const PARAMETERS = { type: 'object', properties: { city: { type: 'string' } } } as const;

interface Content {
  readonly parts: readonly {
    functionCall?: object;
    functionResponse?: object;
    thoughtSignature?: string;
  }[];
}

/** Calls a tool twice at once; the first call has the signature. Then it repeats the results. */
function startGemini() {
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (piece: string) => (body += piece));
    request.on('end', () => {
      const { contents } = JSON.parse(body) as { contents: readonly Content[] };
      const parts = contents.flatMap((content) => content.parts);
      const calls = parts.filter(({ functionCall }) => functionCall !== undefined);
      const { thoughtSignature } = calls[0] ?? {};
      const isForeign = thoughtSignature === 'skip_thought_signature_validator';
      if (calls.length > 0 && thoughtSignature !== SIGNATURE && !isForeign) {
        const message = 'Function call is missing a thought_signature in functionCall parts.';
        response.writeHead(400, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ error: { code: 400, message, status: 'INVALID_ARGUMENT' } }));
        return;
      }
      const call = (city: string) => ({ functionCall: { name: 'weather', args: { city } } });
      const reply = parts.some(({ functionResponse }) => functionResponse !== undefined)
        ? [{ text: isForeign ? 'As another model has found out, it is sunny.' : ANSWER }]
        : [{ ...call('Ulm'), thoughtSignature: SIGNATURE }, call('Bonn')];
      const answer = {
        candidates: [{ content: { role: 'model', parts: reply }, finishReason: 'STOP' }],
        usageMetadata: { promptTokenCount: 7, candidatesTokenCount: 3 },
      };
      const isStream = request.url!.includes('streamGenerateContent');
      response.writeHead(200, {
        'content-type': isStream ? 'text/event-stream' : 'application/json',
      });
      response.end(isStream ? `data: ${JSON.stringify(answer)}\n\n` : JSON.stringify(answer));
    });
  });
  return new Promise<{ url: string; close(): void }>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      resolve({
        url: `http://127.0.0.1:${port}`,
        close() {
          server.closeAllConnections();
          server.close();
        },
      });
    });
  });
}

let gemini: Awaited<ReturnType<typeof startGemini>>;
let node: TestNode;
let baseURL: string;
beforeAll(async () => {
  [gemini, node] = await Promise.all([startGemini(), startTestNode()]);
  baseURL = `${node.url}/v1`;
  await node.client.putProvider({ name: 'google', kind: 'gemini', baseUrl: gemini.url });
  await node.client.putLanguageModel({
    name: model,
    routes: [{ provider: 'google', model: 'gemini-3' }],
    ttftMs: 20_000,
  });
});
afterAll(async () => {
  await node.close();
  gemini.close();
});

test.for([true, false])('openai, chat, streamed: %s', async (stream) => {
  const client = new OpenAI({ baseURL, apiKey: 'none' });
  const runner = client.chat.completions.runTools({
    model,
    stream: stream as true,
    messages: [{ role: 'user', content: ASKED }],
    tools: [
      {
        type: 'function',
        function: {
          name: 'weather',
          description: 'The weather of a city.',
          parameters: PARAMETERS,
          parse: JSON.parse,
          function: ({ city }: { city: string }) => `It is sunny in ${city}.`,
        },
      },
    ],
  });
  expect(await runner.finalContent()).toBe(ANSWER);
});

test.for([true, false])('openai, responses, streamed: %s', async (isStream) => {
  const client = new OpenAI({ baseURL, apiKey: 'none' });
  const tools = [
    { type: 'function' as const, name: 'weather', parameters: PARAMETERS, strict: false },
  ];
  const ask = async (input: OpenAI.Responses.ResponseInput) =>
    isStream
      ? client.responses.stream({ model, input, tools }).finalResponse()
      : client.responses.create({ model, input, tools });
  const asked: OpenAI.Responses.ResponseInput = [{ role: 'user', content: ASKED }];
  const { output } = await ask(asked);
  const results = output.flatMap((item) =>
    item.type === 'function_call'
      ? [{ type: 'function_call_output' as const, call_id: item.call_id, output: 'sunny' }]
      : [],
  );
  expect(results).toHaveLength(2);
  const kept = output as OpenAI.Responses.ResponseInput;
  expect((await ask([...asked, ...kept, ...results])).output_text).toBe(ANSWER);
});

test('@google/genai, in a chat', async () => {
  const client = new GoogleGenAI({ apiKey: 'none', httpOptions: { baseUrl: node.url } });
  const tools = [{ functionDeclarations: [{ name: 'weather', parametersJsonSchema: PARAMETERS }] }];
  const chat = client.chats.create({ model, config: { tools } });
  const { functionCalls = [] } = await chat.sendMessage({ message: ASKED });
  const message = functionCalls.map(({ id, name }) => ({
    functionResponse: { id: id!, name: name!, response: { output: 'sunny' } },
  }));
  expect((await chat.sendMessage({ message })).text).toBe(ANSWER);
});

test('ai with @ai-sdk/openai-compatible', async () => {
  const provider = createOpenAICompatible({ name: 'skein', baseURL });
  const request = {
    model: provider(model),
    prompt: ASKED,
    tools: {
      weather: tool({
        inputSchema: jsonSchema<{ city: string }>(PARAMETERS),
        execute: async ({ city }) => `It is sunny in ${city}.`,
      }),
    },
    stopWhen: stepCountIs(3),
  };
  expect((await generateText(request)).text).toBe(ANSWER);
  expect(await streamText(request).text).toBe(ANSWER);
});

test.for([
  ['chat', false, false],
  ['chat', false, true],
  ['responses', true, false],
  ['responses', true, true],
] as const)('@langchain/openai, %s', async ([, useResponsesApi, isStream]) => {
  const configuration = { baseURL };
  const chat = new ChatOpenAI({
    model,
    apiKey: 'none',
    configuration,
    maxRetries: 0,
    useResponsesApi,
  });
  const weather = langchainTool(async ({ city }) => `It is sunny in ${city}.`, {
    name: 'weather',
    description: 'The weather of a city.',
    schema: z.object({ city: z.string() }),
  });
  const bound = chat.bindTools([weather]);
  const asking = new HumanMessage(ASKED);
  let asked: AIMessage | AIMessageChunk;
  if (isStream) {
    let sum: AIMessageChunk | undefined;
    for await (const piece of await bound.stream([asking])) sum = sum?.concat(piece) ?? piece;
    asked = sum!;
  } else asked = await bound.invoke([asking]);
  expect(asked.tool_calls).toHaveLength(2);
  const results = await Promise.all(
    asked.tool_calls!.map((call) => weather.invoke({ ...call, type: 'tool_call' })),
  );
  expect((await bound.invoke([asking, asked, ...results])).text).toBe(ANSWER);
});

test('a call of another provider, as after a fallback, is marked as one', async () => {
  const client = new OpenAI({ baseURL, apiKey: 'none' });
  const call = { name: 'weather', arguments: '{"city":"Ulm"}' };
  const answer = await client.chat.completions.create({
    model,
    messages: [
      { role: 'user', content: ASKED },
      { role: 'assistant', tool_calls: [{ id: 'a', type: 'function', function: call }] },
      { role: 'tool', tool_call_id: 'a', content: 'sunny' },
    ],
  });
  expect(answer.choices[0]!.message.content).toMatch(/^As another model/);
});
