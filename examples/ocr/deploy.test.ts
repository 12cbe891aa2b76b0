/** The example as a user runs it: on a node, over HTTP. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { texts, type Client, type OutputOf } from '@skein/api/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestNode, type TestNode } from '../../packages/server/src/testing/test-node.ts';
import { deployExample, sample } from './deploy.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const expected = JSON.parse(
  readFileSync(join(import.meta.dirname, 'images/expected.json'), 'utf8'),
) as Record<string, string[]>;

type Outputs = {
  readonly text: OutputOf<'string'>;
  readonly confidence: OutputOf<'float32'>;
  readonly box: OutputOf<'float32'>;
};

let node: TestNode;
let client: Client;
const progress: string[] = [];

beforeAll(async () => {
  node = await startTestNode();
  client = node.client;
  await deployExample(client, { onProgress: (line) => progress.push(line) });
}, 60_000);

afterAll(async () => {
  await node.close();
});

/** Generous, because other tests run on the same cores. */
const timeoutMs = 20_000;

async function read(file: string): Promise<Outputs> {
  const image = readFileSync(join(import.meta.dirname, 'images', file));
  const { outputs } = await client.infer<Outputs>(
    'ocr',
    { image: { shape: [1], data: [image] } },
    { timeoutMs },
  );
  return outputs;
}

describe('the example on a node', () => {
  it('stores and deploys missing parts, and reports them', () => {
    expect(progress.filter((line) => line.startsWith('storing')).length).toBe(3);
    expect(progress.filter((line) => line.startsWith('deploying')).length).toBe(4);
  });

  it('changes nothing a second time', async () => {
    const before = await client.listDeployments();
    const lines: string[] = [];
    await deployExample(client, { onProgress: (line) => lines.push(line) });
    const after = await client.listDeployments();
    expect(lines).toEqual([]);
    expect(after.deployments.map(({ name, revision }) => [name, revision])).toEqual(
      before.deployments.map(({ name, revision }) => [name, revision]),
    );
  });

  it.each(Object.entries(expected))('reads %s', async (file, lines) => {
    const { text, confidence, box } = await read(file);
    expect(texts(text)).toEqual(lines);
    expect(confidence.shape).toEqual([lines.length]);
    expect(box.shape).toEqual([lines.length, 4, 2]);
  });

  it('answers many at once, each with its own lines', async () => {
    const files = ['label.png', 'street-sign.jpg', 'light-on-dark.png', 'label.png'];
    const answers = await Promise.all(files.map(read));
    expect(answers.map(({ text }) => texts(text))).toEqual(files.map((file) => expected[file]));
  });

  it('answers the curl line that is printed', async () => {
    const command = sample
      .curl(node.url)
      .replace('curl -s', 'curl -s -H "Skein-Timeout-Ms: 20000"');
    const { stdout } = await run('sh', ['-c', command], { cwd: root });
    const answer = JSON.parse(stdout) as { outputs: { name: string; data: unknown }[] };
    const text = answer.outputs.find((output) => output.name === 'text');
    expect(text?.data).toEqual(expected['invoice.png']);
  });

  it('refuses a file that is not an image, and reads the next', async () => {
    const bad = { image: { shape: [1], data: ['not an image'] } };
    await expect(client.infer('ocr', bad, { timeoutMs })).rejects.toMatchObject({
      code: 'IMAGE_INVALID',
    });
    expect(texts((await read('street-sign.jpg')).text)).toEqual(['Baker Street']);
  });
});
