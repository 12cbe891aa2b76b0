import { mlp, writeModel } from '@skein/onnx';
import { openServing, type EmbeddedServing } from '@skein/serving';
import type { Hono } from 'hono';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { testFolder } from '../../scripts/testing/folder.ts';
import { COLUMNS, createApp } from './app.ts';

let serving: EmbeddedServing;
let app: Hono;
beforeAll(async () => {
  serving = await openServing({ folder: testFolder(), cores: 1 });
  const model = writeModel(mlp({ sizes: [COLUMNS, 16, 2], seed: 1 }));
  await serving.deploy('risk', model, { objective: { latencyMs: 10_000 } });
  app = createApp(serving);
});
afterAll(() => serving.close());

const predict = async (body: string, headers: Record<string, string> = {}): Promise<Response> =>
  app.request('/predict', { method: 'POST', body, headers });

it('answers next to the routes of the app', async () => {
  expect((await app.request('/')).status).toBe(200);
  const answer = await predict('{"rows": [[1, 2, 3, 4], [5, 6, 7, 8]]}');
  expect(answer.status).toBe(200);
  const { scores, version } = (await answer.json()) as { scores: number[]; version: string };
  expect(scores).toHaveLength(4);
  expect(version).toBe('1');
});

it('puts requests that wait together into batches', async () => {
  const answers = await Promise.all(
    Array.from({ length: 64 }, () => predict('{"rows": [[1, 2, 3, 4]]}')),
  );
  const rows = await Promise.all(
    answers.map(async (answer) => ((await answer.json()) as { batchRows: number }).batchRows),
  );
  expect(Math.max(...rows)).toBeGreaterThan(1);
});

it('refuses a request that would be late, with the status of HTTP', async () => {
  const late = await predict('{"rows": [[1, 2, 3, 4]]}', { 'Skein-Timeout-Ms': '0.000001' });
  expect(late.status).toBeGreaterThanOrEqual(429);
  expect(await late.json()).toMatchObject({ error: expect.anything() });
});

it.each(['', '{}', '{"rows": []}', '{"rows": [[1, 2]]}', '{"rows": [["a", "b", "c", "d"]]}'])(
  'refuses the body %o',
  async (body) => {
    const answer = await predict(body);
    expect(answer.status).toBe(400);
  },
);
