/** Following a run: by the events of a node, and without a node. */
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Run, RunSummary } from '@skein/api';
import { createClient } from '@skein/api/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startNodeProcess, type NodeProcess } from '../../../server/src/testing/node-process.ts';
import { startCli } from '../testing/cli.ts';
import { trainingFolder, WDBC } from './testing/training-folder.ts';

const alone = trainingFolder();
let node: NodeProcess;
beforeAll(async () => {
  node = await startNodeProcess();
  await copyFile(WDBC, join(node.folder, 'wdbc.csv'));
  await alone.fill();
}, 60_000);
afterAll(async () => {
  alone.remove();
  await node.stop();
});

const WORK = ['train', '--model', 'mlp:16', '--data', 'wdbc.csv', '--label', 'diagnosis'];
/** Some seconds, because every step is kept. */
const LONG = [...WORK, '--epochs', '60', '--checkpoint-every', '1'];

it('reports the steps of a run in the events of the node, and its end', async () => {
  const training = startCli([...LONG, '--name', 'followed'], { cwd: node.folder });
  await training.saw(/^ +1 /m);
  const leave = new AbortController();
  const seen: RunSummary[] = [];
  const listening = (async () => {
    for await (const event of createClient({ url: node.url }).events({ signal: leave.signal })) {
      if (event.type !== 'run' || event.data.name !== 'followed') continue;
      seen.push(event.data);
      if (event.data.status !== 'running') break;
    }
  })();
  const shown = startCli(['runs', 'show', 'followed', '-f', '--json'], { cwd: node.folder });
  const [{ code, stdout, stderr }, trained] = await Promise.all([shown.ended, training.ended]);
  await listening;
  leave.abort();
  expect({ code, trained: trained.code }).toEqual({ code: 0, trained: 0 });
  const { run } = JSON.parse(stdout) as { run: Run };
  expect(run).toMatchObject({ status: 'finished', steps: { done: 60 * 15 } });
  expect(run.newest).toBeUndefined();
  expect(stderr).toMatch(/^epoch \d+, loss 0\.\d+, val\. loss /m);
  expect(seen.at(-1)).toMatchObject({ status: 'finished' });
  const steps = seen.flatMap(({ newest }) => (newest === undefined ? [] : [newest]));
  expect(steps.length).toBeGreaterThan(0);
  for (const { step, loss } of steps) {
    expect(step).toBeGreaterThan(0);
    expect(loss).toBeGreaterThan(0);
  }
}, 60_000);

it('reads the folder where no node runs', async () => {
  const training = startCli([...LONG, '--name', 'lonely'], { cwd: alone.folder });
  await training.saw(/^ +1 /m);
  const { run } = await alone.json<{ run: Run }>('runs', 'show', 'lonely', '--follow');
  expect(run.status).toBe('finished');
  expect((await training.ended).code).toBe(0);
}, 60_000);
