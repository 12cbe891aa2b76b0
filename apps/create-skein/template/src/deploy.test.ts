/** Runs the deployments on a node of their own. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createClient, texts, type Client } from '@skein/api';
import { startNode, type RunningNode } from '@skein/server';
import { deploy } from './deploy.ts';

let folder: string;
let node: RunningNode;
let client: Client;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-app-'));
  node = await startNode({ dataFolder: folder, port: 0, grpcPort: 0, log: 'off' });
  client = createClient({ url: node.url });
  await deploy(client);
});

after(async () => {
  await node.drain();
  await rm(folder, { recursive: true });
});

void test('triage answers with a label for each row', async () => {
  const x = { shape: [2, 4], data: new Float32Array([0, 0, 0, 0, 1, 2, 3, 4]) };
  const { outputs } = await client.infer('triage', { x });
  const label = outputs['label'];
  if (label?.type !== 'string') throw new Error('triage has no output label');
  const labels = texts(label);
  assert.equal(labels.length, 2);
  for (const each of labels) assert.match(each, /^(high|low)$/);
});
