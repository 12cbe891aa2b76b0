import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import type { DeploymentView } from '@skein/api';
import type { Signature } from '@skein/onnx';
import { readInputs } from '../tensor/given-input.ts';
import { sampleShape, tryLines } from './sample-request.ts';

const folder = testFolder();

/** Prints its arguments, each with a NUL behind it. */
const SKEIN = String.raw`skein() { printf '%s\0' "$@"; }`;

const lines = (inputs: unknown[], reached = {}): string[] => {
  const view = { name: 'risk', signature: { inputs, outputs: [] } } as unknown as DeploymentView;
  return tryLines(view, 'http://node', false, { server: undefined, data: undefined, ...reached });
};

it.each([
  ['few numbers', [{ name: 'x', type: 'float32', shape: ['batch', 3] }]],
  ['many numbers', [{ name: 'input/pixels', type: 'float32', shape: [null, 3, 224, 224] }]],
  [
    'several inputs',
    [
      { name: 'ids', type: 'int64', shape: [null, 'length'] },
      { name: 'mask', type: 'bool', shape: [2, 300] },
      { name: 'half', type: 'float16', shape: [] },
      { name: 'text', type: 'string', shape: [1] },
    ],
  ],
])('suggests a command for %s that works on the spot', async (_what, inputs) => {
  const command = lines(inputs).at(-1)!;
  const script = `${SKEIN}\n${command}`;
  const words = execFileSync('sh', ['-c', script], { cwd: folder, encoding: 'utf8' }).split('\0');
  expect(words.slice(0, 2)).toEqual(['infer', 'risk']);
  const input = words.filter((_word, at) => words[at - 1] === '--input');
  const signature = { inputs, outputs: [] } as unknown as Signature;
  const given = { input, image: undefined, data: undefined };
  const tensors = await readInputs(given, signature, folder);
  for (const spec of inputs) {
    expect(tensors[spec.name]).toMatchObject({ type: spec.type, shape: sampleShape(spec) });
  }
});

it('suggests a command that reaches the same node', () => {
  const inputs = [{ name: 'x', type: 'float32', shape: [1] }];
  const [curl, skein] = lines(inputs, { server: 'https://far', data: "it's" });
  expect(curl).toContain('curl -s http://node/v2/models/risk/infer');
  expect(skein).toBe(
    String.raw`skein infer risk --input x='[0]' --server 'https://far' --folder 'it'\''s'`,
  );
});

it('suggests no command that cannot be written', () => {
  expect(lines([{ name: 'a b', type: 'float32', shape: [1000] }])).toEqual([]);
});
