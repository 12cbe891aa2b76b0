import { expect, it } from 'vitest';
import { startGemini } from './testing/scripted-upstream.ts';

const call = { signal: new AbortController().signal, deadline: Infinity, gapMs: 10_000 };
const extra = { extra_body: { google: { task_type: 'RETRIEVAL_QUERY', auto_truncate: false } } };
const prediction = (token_count: number) => ({
  embeddings: { values: [token_count, 1], statistics: { token_count, truncated: false } },
});

it('asks a text model on Vertex AI for all texts at once, and counts its tokens', async () => {
  const { provider, asked } = await startGemini(
    { predictions: [prediction(3), prediction(4)] },
    true,
  );
  const request = { model: 'text-embedding-005', inputs: ['a', 'b'], dimensions: 2, extra };
  expect(await provider.embed!(request, call)).toEqual({
    vectors: [Float32Array.of(3, 1), Float32Array.of(4, 1)],
    usage: { inputTokens: 7, outputTokens: 0, isEstimate: false },
  });
  expect(asked).toEqual([
    {
      path: '/models/text-embedding-005:predict',
      body: {
        instances: ['a', 'b'].map((content) => ({ task_type: 'RETRIEVAL_QUERY', content })),
        parameters: { autoTruncate: false, outputDimensionality: 2 },
      },
    },
  ]);
});

it('asks the first Gemini model there for one text at a time', async () => {
  const { provider, asked } = await startGemini({ predictions: [prediction(2)] }, true);
  const inputs = Array.from({ length: 20 }, (_, at) => `text ${at}`);
  const { vectors, usage } = await provider.embed!({ model: 'gemini-embedding-001', inputs }, call);
  expect([vectors.length, usage.inputTokens]).toEqual([20, 40]);
  const texts = asked.map(({ body }) => (body as { instances: [{ content: string }] }).instances);
  expect(texts.flat().map(({ content }) => content)).toHaveLength(20);
  expect(new Set(texts.flat().map(({ content }) => content))).toEqual(new Set(inputs));
});

it('asks later Gemini models there by embedContent', async () => {
  const answer = { embedding: { values: [1, 2] }, usageMetadata: { promptTokenCount: 5 } };
  const { provider, asked } = await startGemini(answer, true);
  const request = { model: 'gemini-embedding-2', inputs: ['a'], dimensions: 2 };
  expect(await provider.embed!(request, call)).toEqual({
    vectors: [Float32Array.of(1, 2)],
    usage: { inputTokens: 5, outputTokens: 0, isEstimate: false },
  });
  expect(asked).toEqual([
    {
      path: '/models/gemini-embedding-2:embedContent',
      body: {
        content: { parts: [{ text: 'a' }] },
        embedContentConfig: { outputDimensionality: 2 },
      },
    },
  ]);
});

it('asks the Gemini API for all texts at once, and estimates tokens that it does not count', async () => {
  const { provider, asked } = await startGemini({ embeddings: [{ values: [1] }] }, false);
  const { usage } = await provider.embed!({ model: 'm', inputs: ['a'], extra }, call);
  expect(usage.isEstimate).toBe(true);
  const requests = [
    {
      taskType: 'RETRIEVAL_QUERY',
      autoTruncate: false,
      model: 'models/m',
      content: { parts: [{ text: 'a' }] },
    },
  ];
  expect(asked).toEqual([{ path: '/models/m:batchEmbedContents', body: { requests } }]);
});

it.each([{}, { predictions: [{ embeddings: { values: [] } }] }, { predictions: [{}, {}] }])(
  'takes missing vectors for a cut answer: %j',
  async (answer) => {
    const { provider } = await startGemini(answer, true);
    const asked = provider.embed!({ model: 'text-embedding-005', inputs: ['a'] }, call);
    await expect(asked).rejects.toMatchObject({ code: 'PROVIDER_CUT' });
  },
);
