import { getEventListeners } from 'node:events';
import { GoogleGenAI } from '@google/genai';
import { SkeinError } from '@skein/api';
import { createClient } from '@skein/api/client';
import { issueToken } from '@skein/http';
import { GraphBuilder, writeModel } from '@skein/onnx';
import type { Cancellation, Inference } from '@skein/serving';
import OpenAI from 'openai';
import { expect, it, onTestFinished } from 'vitest';
import { startTestNode } from '../testing/test-node.ts';
import { encodeTexts } from './encoder.ts';

const ENCODER = { deployment: 'e', input: 'text', inputRank: 1, output: 'vector' };

/** Answers with the function that is given; its last cancellation is kept. */
function inferenceOf(answer: () => Promise<unknown>) {
  const received: { cancellation?: Cancellation | undefined } = {};
  const infer = ({ cancellation }: { readonly cancellation?: Cancellation | undefined }) => {
    received.cancellation = cancellation;
    return answer();
  };
  return { received, inference: { infer } as unknown as Inference };
}

const encode = (inference: Inference, signal: AbortSignal) =>
  encodeTexts(inference, ENCODER, ['a'], { id: 'r', tenant: 't', trace: undefined, signal });

it.each([
  [
    'answered',
    async () => ({
      outputs: new Map([
        ['vector', { type: 'float32', shape: [1, 2], bytes: Buffer.from(new Float32Array(2)) }],
      ]),
    }),
  ],
  ['failed', () => Promise.reject(new SkeinError('INTERNAL', 'x'))],
])('leaves no listener at the signal of a call that has %s', async (_, answer) => {
  const { signal } = new AbortController();
  await Promise.allSettled([encode(inferenceOf(answer).inference, signal)]);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

it.each(['before', 'during'])('is cancelled by a signal that is aborted %s the call', (when) => {
  const gone = new AbortController();
  if (when === 'before') gone.abort();
  const { inference, received } = inferenceOf(() => new Promise(() => {}));
  void encode(inference, gone.signal);
  gone.abort();
  expect(received.cancellation?.cancelled).toBe(true);
});

/** A vector of the words of a list; with `counts` it has the number of words of a text. */
function splitter(counts: boolean): Uint8Array<ArrayBuffer> {
  const graph = new GraphBuilder('encoder');
  const text = graph.input('text', 'string', ['batch']);
  const [words, count] = graph.node(
    'StringSplit',
    [text],
    { delimiter: ' ' },
    { outputs: ['words', 'count'] },
  );
  const [vector] = graph.node(
    'TfIdfVectorizer',
    [words],
    {
      mode: 'TF',
      min_gram_length: 1,
      max_gram_length: 1,
      max_skip_count: 0,
      ngram_counts: [0],
      ngram_indexes: [0, 1],
      pool_strings: ['red', 'blue'],
    },
    { outputs: ['vector'] },
  );
  graph.output(vector, 'float32', ['batch', 2]);
  if (counts) graph.output(count!, 'int64', ['batch']);
  return writeModel(graph.model({ opset: 20, irVersion: 9 })) as Uint8Array<ArrayBuffer>;
}

it('counts the tokens of texts in usage, budgets and metrics, for the clients of both forms', async () => {
  const { token } = issueToken();
  const node = await startTestNode({
    access: 'required',
    givenKeys: [{ token, scope: 'admin' }],
  });
  onTestFinished(() => node.close());
  const client = createClient({ url: node.url, key: token });
  for (const [name, counts] of [
    ['words', true],
    ['silent', false],
  ] as const) {
    const { version } = await client.importModel({ name, content: splitter(counts) });
    await client.deploy({ name, version, settings: { objective: { latencyMs: 20_000 } } });
  }
  await client.putBudget({ subject: 'all', period: 'month', tokens: 1000 });
  const openai = new OpenAI({ baseURL: `${node.url}/v1`, apiKey: token, maxRetries: 0 });
  const input = ['red blue red', 'blue'];
  const answer = await openai.embeddings.create({ model: 'words', input });
  expect(answer.data.map(({ embedding }) => embedding)).toEqual([
    [2, 1],
    [0, 1],
  ]);
  expect(answer.usage).toMatchObject({ prompt_tokens: 4, total_tokens: 4 });

  const google = new GoogleGenAI({ apiKey: token, httpOptions: { baseUrl: node.url } });
  const embedded = await google.models.embedContent({ model: 'words', contents: ['red blue'] });
  expect(embedded.embeddings![0]!.values).toEqual([1, 1]);
  const { usageMetadata } = (await (
    await fetch(`${node.url}/v1beta/models/words:embedContent`, {
      method: 'POST',
      headers: { 'x-goog-api-key': token },
      body: JSON.stringify({ content: { parts: [{ text: 'red blue' }] } }),
    })
  ).json()) as { usageMetadata: object };
  expect(usageMetadata).toEqual({ promptTokenCount: 2, totalTokenCount: 2 });

  // Without a count of its own, by the length of the texts, as everywhere.
  const estimated = await openai.embeddings.create({ model: 'silent', input });
  expect(estimated.usage.prompt_tokens).toBe(5);

  const metrics = await (
    await fetch(`${node.url}/metrics`, { headers: { authorization: `Bearer ${token}` } })
  ).text();
  expect(metrics).toContain(
    'skein_language_tokens_total{model="words",provider="(deployed)",type="input"} 8',
  );
  const { use } = await client.getLanguageModels();
  expect(use.find(({ model }) => model === 'words')).toMatchObject({ requests: 3, inputTokens: 8 });

  const bent = openai.embeddings.create({ model: 'words', input: 'x', dimensions: 3 });
  await expect(bent).rejects.toMatchObject({ status: 400, param: 'dimensions' });
  await client.putBudget({ subject: 'all', period: 'month', tokens: 20 });
  const refused = openai.embeddings.create({ model: 'words', input: 'red '.repeat(30) });
  await expect(refused).rejects.toMatchObject({ status: 429, code: 'insufficient_quota' });
  const unknown = openai.embeddings.create({ model: 'nope', input: 'red '.repeat(30) });
  await expect(unknown).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
});
