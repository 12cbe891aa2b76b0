/** A semantic cache on a node, whose vectors come from a deployed ONNX text encoder. */
import { GraphBuilder, writeModel } from '@skein/onnx';
import { expect, onTestFinished, test } from 'vitest';
import { startLanguageNode } from './testing/language-node.ts';

const GREETINGS = ['Hello!', 'Good day!', 'Where am I?'];

/** The first two texts have the same vector. */
function encoder(): Uint8Array {
  const graph = new GraphBuilder('encoder');
  const text = graph.input('text', 'string', ['batch', 1]);
  const [vector] = graph.node(
    'TfIdfVectorizer',
    [text],
    {
      mode: 'TF',
      min_gram_length: 1,
      max_gram_length: 1,
      max_skip_count: 0,
      ngram_counts: [0],
      ngram_indexes: [0, 0, 1],
      pool_strings: GREETINGS,
    },
    { outputs: ['vector'] },
  );
  graph.output(vector, 'float32', ['batch', 2]);
  return writeModel(graph.model());
}

test('a node answers similar questions alike, with vectors of a deployed encoder', async () => {
  const started = await startLanguageNode();
  onTestFinished(() => started.close());
  const { node, client, upstream } = started;
  const content = encoder() as Uint8Array<ArrayBuffer>;
  const { version } = await client.importModel({ name: 'encoder', content });
  await client.deploy({ name: 'encoder', version, settings: { objective: { latencyMs: 20_000 } } });
  const declared = {
    name: 'assistant',
    routes: [{ provider: 'up', model: 'big', price: { input: 1, output: 10 } }],
    ttftMs: 60_000,
  };
  await client.putLanguageModel({
    ...declared,
    semanticCache: { embeddings: 'encoder', threshold: 0.99, compare: 1 },
  });
  const ask = async (content: string) => {
    const response = await fetch(`${node.url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ model: 'assistant', messages: [{ role: 'user', content }] }),
    });
    const answer = (await response.json()) as { choices: { message: { content: string } }[] };
    expect(answer.choices[0]!.message.content).toBe('Hello there');
    return response.headers;
  };
  const [first, second, third] = [
    await ask('Hello!'),
    await ask('Good day!'),
    await ask('Where am I?'),
  ];
  expect(first.get('skein-cache')).toBe('miss');
  expect(second.get('skein-cache')).toBe('semantic');
  expect(second.get('skein-cache-similarity')).toBe('1.0000');
  expect(Number(second.get('skein-cost-usd'))).toBe(0);
  expect(third.get('skein-cache')).toBe('miss');

  // The comparison of the hit is a request of the operator.
  await expect.poll(() => upstream.bodies.length, { timeout: 30_000 }).toBe(3);
  const cacheOf = async () => (await client.getLanguageModels()).models[0]!.semanticCache;
  await expect
    .poll(cacheOf, { timeout: 30_000 })
    .toEqual({ lookups: 3, hits: 1, failed: 0, compared: 1, different: 0 });
  const metrics = await (await fetch(`${node.url}/metrics`)).text();
  expect(metrics).toContain(
    'skein_language_semantic_lookups_total{model="assistant",outcome="hit"} 1',
  );

  // Another declaration begins again; what was counted stays.
  await client.putLanguageModel({ ...declared, semanticCache: { embeddings: 'nothing' } });
  expect((await ask('Hello!')).get('skein-cache')).toBe('miss');
  expect(await cacheOf()).toMatchObject({ lookups: 4, hits: 1, failed: 1 });
}, 60_000);
