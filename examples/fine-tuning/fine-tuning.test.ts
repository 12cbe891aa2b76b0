/** The README's commands: what the network reads before and after, and that only its last layers changed. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Client } from '@skein/api/client';
import { readModel, tensorOf, type Model } from '@skein/onnx';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestNode, type TestNode } from '../../packages/server/src/testing/test-node.ts';
import { accuracyOf, shareOf } from './accuracy.ts';

const here = (name: string) => join(import.meta.dirname, name);
const MAIN = here('../../packages/cli/src/main.ts');

let node: TestNode;
let client: Client;

beforeAll(async () => {
  node = await startTestNode({ cores: 2 });
  client = node.client;
}, 60_000);

afterAll(async () => {
  await node.close();
});

async function skein(...args: string[]): Promise<string> {
  const env = { ...process.env, SKEIN_URL: node.url, SKEIN_DATA: join(node.folder, '.skein') };
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...args, '--json'], {
    cwd: node.folder,
    env,
  });
  return stdout;
}

const parameters = (model: Model) =>
  new Map(
    model.graph!.initializer.map((each) => {
      const tensor = tensorOf(each)!;
      return [each.name, Buffer.from(tensor.type === 'string' ? [] : tensor.bytes)];
    }),
  );

it('learns five digits more with its last layers, and is served at once', async () => {
  await skein('deploy', here('digits.onnx'), '--name', 'digits');
  const before = await accuracyOf(client, 'digits');
  expect(shareOf(before)).toBeGreaterThan(0.45);
  expect(shareOf(before)).toBeLessThan(0.6);
  expect(before.right.slice(5)).toEqual([0, 0, 0, 0, 0]);

  const pictures = ['--data', here('data/train-images-idx3-ubyte.gz'), '--freeze', 'Conv'];
  const plan = ['--lr', '0.003', '--epochs', '10', '--name', 'digits', '--deploy', 'digits'];
  await skein('train', here('digits.onnx'), ...pictures, ...plan, '--out', 'tuned.onnx');
  const after = await accuracyOf(client, 'digits');
  expect(shareOf(after)).toBeGreaterThan(0.95);
  expect(Math.min(...after.right.map((right, digit) => right / after.of[digit]!))).toBeGreaterThan(
    0.85,
  );

  const start = parameters(readModel(await readFile(here('digits.onnx'))));
  const tuned = parameters(readModel(await readFile(join(node.folder, 'tuned.onnx'))));
  const changed = [...start].filter(([name, bytes]) => !tuned.get(name)?.equals(bytes));
  expect(changed.map(([name]) => name).sort()).toEqual([
    'fc1.bias',
    'fc1.weight',
    'fc2.bias',
    'fc2.weight',
  ]);
  expect(start.size).toBe(8);
}, 60_000);
