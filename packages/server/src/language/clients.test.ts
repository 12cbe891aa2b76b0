/**
 * Clients that others wrote, unmodified, over HTTP against a node and its upstream: chat, streams,
 * tools and back, JSON Schema, embeddings, errors, retries, aborts.
 */
import { GoogleGenAI, Type } from '@google/genai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { HumanMessage } from '@langchain/core/messages';
import { tool as langchainTool } from '@langchain/core/tools';
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import {
  embedMany,
  generateObject,
  generateText,
  jsonSchema,
  stepCountIs,
  streamText,
  tool,
} from 'ai';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type LanguageNode, startLanguageNode } from './testing/language-node.ts';

let started: LanguageNode;
beforeAll(async () => {
  started = await startLanguageNode();
  // Under a budget no field may come that could cost more than what is reserved.
  await started.client.putBudget({ subject: 'all', period: 'day', usd: 1e6 });
});
afterAll(() => started.close());

const model = 'assistant';
const user = (content: string) => ({ role: 'user' as const, content });
const CITY = {
  type: 'object',
  properties: { city: { type: 'string' }, degrees: { type: 'number' } },
  required: ['city', 'degrees'],
  additionalProperties: false,
} as const;
const ANSWER = { city: 'Ulm', degrees: 21 };

describe('openai', () => {
  function start() {
    const { node, upstream } = started;
    upstream.refusals = 1;
    const client = new OpenAI({ baseURL: `${node.url}/v1`, apiKey: 'none' });
    return { client, upstream, node };
  }

  test('chat, streams with usage, and the list of models', async () => {
    const { client } = start();
    const answer = await client.chat.completions.create({ model, messages: [user('Hi')] });
    expect(answer.choices[0]?.message.content).toBe('Hello there');
    expect(answer.usage).toMatchObject({ prompt_tokens: 7, completion_tokens: 3 });
    const stream = client.chat.completions.stream({
      model,
      messages: [user('Hi')],
      stream_options: { include_usage: true },
    });
    expect(await stream.finalContent()).toBe('Hello there');
    expect((await stream.totalUsage()).total_tokens).toBe(10);
    const models = await client.models.list();
    expect(models.data.map(({ id }) => id)).toEqual([model]);
  });

  test('a tool and back, by its own runner', async () => {
    const { client } = start();
    const runner = client.chat.completions.runTools({
      model,
      stream: true,
      messages: [user('How is the weather?')],
      tools: [
        {
          type: 'function',
          function: {
            name: 'weather',
            description: 'The weather of a city.',
            parameters: { type: 'object', properties: { city: { type: 'string' } } },
            parse: JSON.parse,
            function: ({ city }: { city: string }) => `It is sunny in ${city}.`,
          },
        },
      ],
    });
    expect(await runner.finalContent()).toBe('It is sunny in Ulm.');
  });

  test('JSON by a schema, and embeddings in base64', async () => {
    const { client } = start();
    const answer = await client.chat.completions.parse({
      model,
      messages: [user('Where?')],
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'city', schema: CITY, strict: true },
      },
    });
    expect(JSON.parse(answer.choices[0]?.message.content ?? '')).toEqual(ANSWER);
    const { data } = await client.embeddings.create({ model, input: ['ab', 'c'] });
    expect(data.map(({ embedding }) => embedding)).toEqual([
      [2, 0.5, -0.25],
      [1, 0.5, -0.25],
    ]);
  });

  test('responses, whole and streamed', async () => {
    const { client } = start();
    const whole = await client.responses.create({ model, input: 'Hi' });
    expect(whole.output_text).toBe('Hello there');
    const stream = client.responses.stream({ model, input: 'Hi' });
    const types: string[] = [];
    for await (const { type } of stream) types.push(type);
    expect(types.at(0)).toBe('response.created');
    expect(types.at(-1)).toBe('response.completed');
    expect((await stream.finalResponse()).output_text).toBe('Hello there');
  });

  test('errors by their class, retries where they help, and aborts', async () => {
    const { client, upstream } = start();
    const unknown = client.chat.completions.create({ model: 'gpt-9', messages: [user('Hi')] });
    await expect(unknown).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    await expect(unknown).rejects.toMatchObject({ code: 'model_not_found', param: 'model' });
    const refused = client.chat.completions.create({ model, messages: [user('refused')] });
    await expect(refused).rejects.toBeInstanceOf(OpenAI.BadRequestError);
    const retried = await client.chat.completions.create({ model, messages: [user('busy')] });
    expect(retried.choices[0]?.message.content).toBe('Hello there');

    const stream = await client.chat.completions.create({
      model,
      messages: [user('forever')],
      stream: true,
    });
    for await (const _ of stream) {
      expect(upstream.open).toBe(1);
      break;
    }
    await expect.poll(() => upstream.open).toBe(0);
  });
});

describe('@google/genai', () => {
  function start() {
    const { node, upstream } = started;
    upstream.refusals = 1;
    const client = new GoogleGenAI({ apiKey: 'none', httpOptions: { baseUrl: node.url } });
    return { client, upstream };
  }

  test('content, streams, JSON by a schema, embeddings', async () => {
    const { client } = start();
    const answer = await client.models.generateContent({ model, contents: 'Hi' });
    expect(answer.text).toBe('Hello there');
    expect(answer.usageMetadata).toMatchObject({ promptTokenCount: 7, candidatesTokenCount: 3 });
    const names: (string | undefined)[] = [];
    for await (const { name } of await client.models.list()) names.push(name);
    expect(names).toEqual([`models/${model}`]);
    expect(await client.models.get({ model })).toMatchObject({ displayName: model });
    let streamed = '';
    for await (const piece of await client.models.generateContentStream({
      model,
      contents: 'Hi',
    })) {
      streamed += piece.text ?? '';
    }
    expect(streamed).toBe('Hello there');
    const json = await client.models.generateContent({
      model,
      contents: 'Where?',
      config: {
        responseMimeType: 'application/json',
        responseSchema: {
          type: Type.OBJECT,
          properties: { city: { type: Type.STRING }, degrees: { type: Type.NUMBER } },
        },
      },
    });
    expect(JSON.parse(json.text ?? '')).toEqual(ANSWER);
    const embedded = await client.models.embedContent({ model, contents: ['ab', 'c'] });
    expect(embedded.embeddings?.map(({ values }) => values)).toEqual([
      [2, 0.5, -0.25],
      [1, 0.5, -0.25],
    ]);
  });

  test('a tool and back, in a chat', async () => {
    const { client } = start();
    const chat = client.chats.create({
      model,
      config: {
        tools: [
          {
            functionDeclarations: [
              {
                name: 'weather',
                parameters: { type: Type.OBJECT, properties: { city: { type: Type.STRING } } },
              },
            ],
          },
        ],
      },
    });
    const asked = await chat.sendMessage({ message: 'How is the weather?' });
    const [call] = asked.functionCalls ?? [];
    expect(call).toMatchObject({ name: 'weather', args: { city: 'Ulm' } });
    const response = { output: 'It is sunny in Ulm.' };
    const part = { functionResponse: { id: call!.id!, name: call!.name!, response } };
    const answered = await chat.sendMessage({ message: [part] });
    expect(answered.text).toContain('It is sunny in Ulm.');
  });

  test('errors with their status, and aborts', async () => {
    const { client, upstream } = start();
    await expect(
      client.models.generateContent({ model: 'gemini-9', contents: 'Hi' }),
    ).rejects.toMatchObject({
      name: 'ApiError',
      status: 404,
    });
    const cached = { cachedContent: 'cachedContents/1' };
    await expect(
      client.models.generateContent({ model, contents: 'Hi', config: cached }),
    ).rejects.toMatchObject({
      status: 400,
      message: expect.stringMatching(
        /The field \\"cachedContent\\" may cost more .*: leave it out, or ask .*"field":"cachedContent"/,
      ) as string,
    });
    const leaving = new AbortController();
    const stream = await client.models.generateContentStream({
      model,
      contents: 'forever',
      config: { abortSignal: leaving.signal },
    });
    await expect(
      (async () => {
        for await (const _ of stream) leaving.abort();
      })(),
    ).rejects.toThrow(/abort/i);
    await expect.poll(() => upstream.open).toBe(0);
  });
});

describe('ai with @ai-sdk/openai-compatible', () => {
  function start() {
    const { node, upstream } = started;
    upstream.refusals = 1;
    const provider = createOpenAICompatible({
      name: 'skein',
      baseURL: `${node.url}/v1`,
      includeUsage: true,
      supportsStructuredOutputs: true,
    });
    return { provider, upstream };
  }

  test('text, streams with usage, a tool and back', async () => {
    const { provider } = start();
    const { text } = await generateText({ model: provider(model), prompt: 'Hi' });
    expect(text).toBe('Hello there');
    const streamed = streamText({ model: provider(model), prompt: 'Hi' });
    let sum = '';
    for await (const piece of streamed.textStream) sum += piece;
    expect(sum).toBe('Hello there');
    expect((await streamed.usage).totalTokens).toBe(10);
    const answered = await generateText({
      model: provider(model),
      prompt: 'How is the weather?',
      tools: {
        weather: tool({
          inputSchema: jsonSchema<{ city: string }>({
            type: 'object',
            properties: { city: { type: 'string' } },
          }),
          execute: async ({ city }) => `It is sunny in ${city}.`,
        }),
      },
      stopWhen: stepCountIs(3),
    });
    expect(answered.text).toBe('It is sunny in Ulm.');
  });

  test('objects by a schema, embeddings, errors, retries, aborts', async () => {
    const { provider, upstream } = start();
    const { object } = await generateObject({
      model: provider(model),
      schema: jsonSchema<typeof ANSWER>(CITY),
      prompt: 'Where?',
    });
    expect(object).toEqual(ANSWER);
    const { embeddings } = await embedMany({
      model: provider.embeddingModel(model),
      values: ['ab', 'c'],
    });
    expect(embeddings[0]).toEqual([2, 0.5, -0.25]);
    await expect(generateText({ model: provider('gpt-9'), prompt: 'Hi' })).rejects.toMatchObject({
      statusCode: 404,
    });
    expect((await generateText({ model: provider(model), prompt: 'busy' })).text).toBe(
      'Hello there',
    );
    const leaving = new AbortController();
    const stream = streamText({
      model: provider(model),
      prompt: 'forever',
      abortSignal: leaving.signal,
      onError() {},
    });
    for await (const _ of stream.textStream) leaving.abort();
    await expect.poll(() => upstream.open).toBe(0);
  });
});

describe('@langchain/openai', () => {
  function start() {
    const { node, upstream } = started;
    upstream.refusals = 1;
    const configuration = { baseURL: `${node.url}/v1` };
    const chat = new ChatOpenAI({ model, apiKey: 'none', configuration, maxRetries: 2 });
    return { chat, configuration, upstream };
  }

  test('chat, streams, a tool and back, JSON by a schema', async () => {
    const { chat } = start();
    expect((await chat.invoke('Hi')).content).toBe('Hello there');
    let sum = '';
    for await (const piece of await chat.stream('Hi')) sum += piece.text;
    expect(sum).toBe('Hello there');
    const weather = langchainTool(async ({ city }) => `It is sunny in ${city}.`, {
      name: 'weather',
      description: 'The weather of a city.',
      schema: z.object({ city: z.string() }),
    });
    const asking = new HumanMessage('How is the weather?');
    const asked = await chat.bindTools([weather]).invoke([asking]);
    expect(asked.tool_calls).toMatchObject([{ name: 'weather', args: { city: 'Ulm' } }]);
    const answered = await weather.invoke({ ...asked.tool_calls![0]!, type: 'tool_call' });
    expect((await chat.invoke([asking, asked, answered])).content).toBe('It is sunny in Ulm.');
    const structured = chat.withStructuredOutput(
      z.object({ city: z.string(), degrees: z.number() }),
      { method: 'jsonSchema' },
    );
    expect(await structured.invoke('Where?')).toEqual(ANSWER);
  });

  test('embeddings, errors, retries, aborts', async () => {
    const { chat, configuration, upstream } = start();
    const embeddings = new OpenAIEmbeddings({ model, apiKey: 'none', configuration });
    expect(await embeddings.embedQuery('ab')).toEqual([2, 0.5, -0.25]);
    const unknown = new ChatOpenAI({
      model: 'gpt-9',
      apiKey: 'none',
      configuration,
      maxRetries: 0,
    });
    await expect(unknown.invoke('Hi')).rejects.toMatchObject({ status: 404 });
    expect((await chat.invoke('busy')).content).toBe('Hello there');
    const leaving = new AbortController();
    await expect(
      (async () => {
        const stream = await chat.stream('forever', { signal: leaving.signal });
        for await (const _ of stream) leaving.abort();
      })(),
    ).rejects.toThrow(/abort/i);
    await expect.poll(() => upstream.open).toBe(0);
  });
});
