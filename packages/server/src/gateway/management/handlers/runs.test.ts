import { createClient, summaryOf, type Client } from '@skein/api';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sampleRun } from '../../../../../state/src/runs/testing/sample-run.ts';
import { startManagement, type TestNode } from '../testing/start-management.ts';

let node: TestNode;
let client: Client;
beforeAll(async () => {
  node = await startManagement();
  client = createClient({ url: node.url });
});
afterAll(() => node.close());

it('runs are reported, listed, shown and removed over the API', async () => {
  const run = sampleRun('20260314-risk-3f9c1e');
  expect(await client.putRun({ id: run.id, run })).toEqual(summaryOf(run));
  const finished = { ...run, status: 'finished' as const, updatedAt: '2026-03-14T10:00:00.000Z' };
  await client.putRun({ id: run.id, run: finished });
  expect(await client.putRun({ id: run.id, run })).toEqual(summaryOf(finished));
  expect(await client.listRuns()).toEqual({ runs: [summaryOf(finished)] });
  expect(await client.listRuns({ status: 'running' })).toEqual({ runs: [] });
  expect(await client.getRun({ id: run.id })).toEqual(finished);
  await client.removeRun({ id: run.id });
  await expect(client.getRun({ id: run.id })).rejects.toMatchObject({ code: 'RUN_UNKNOWN' });
  await expect(client.removeRun({ id: run.id })).rejects.toMatchObject({ code: 'RUN_UNKNOWN' });
  const actions = (await node.state.audit(9)).map(({ action, outcome }) => `${action} ${outcome}`);
  expect(actions).toEqual([
    'removeRun RUN_UNKNOWN',
    'removeRun ok',
    ...Array<string>(3).fill('putRun ok'),
  ]);
});

it('runs are listed page by page, also by status', async () => {
  const ids = Array.from({ length: 5 }, (_, index) => `20260314-page-${index}`);
  for (const id of ids) {
    const startedAt = `2026-03-14T09:00:0${id.at(-1)}.000Z`;
    const status = id.endsWith('2') ? 'failed' : 'finished';
    await client.putRun({ id, run: sampleRun(id, { startedAt, status }) });
  }
  const listed = async (status?: 'finished' | 'interrupted'): Promise<string[][]> => {
    const pages: string[][] = [];
    for (let after: string | undefined; ;) {
      const { runs, next } = await client.listRuns({ limit: 2, after, status });
      pages.push(runs.map(({ id }) => id));
      if (next === undefined) return pages;
      after = next;
    }
  };
  const [a, b, c, d, e] = ids.toReversed();
  expect(await listed()).toEqual([[a, b], [c, d], [e]]);
  expect(await listed('finished')).toEqual([[a, b], [d, e], []]);
  expect(await listed('interrupted')).toEqual([[]]);
  await expect(client.listRuns({ after: 'x' })).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
  for (const id of ids) await client.removeRun({ id });
});

it('a run whose id differs from its path, or with an invalid digest, is refused', async () => {
  const run = sampleRun('a');
  await expect(client.putRun({ id: 'b', run })).rejects.toMatchObject({
    code: 'REQUEST_INVALID',
    message: 'The run in the body is "a", but the path names "b".',
  });
  const parent = { path: 'x', digest: 'no digest' };
  const wrong = { ...run, lineage: { ...run.lineage, parent } };
  await expect(client.putRun({ id: 'a', run: wrong })).rejects.toThrow(/sha-256/);
  await expect(client.getRun({ id: 'Not an id' })).rejects.toMatchObject({
    code: 'REQUEST_INVALID',
  });
});
