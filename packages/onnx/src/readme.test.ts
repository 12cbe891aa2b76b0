/** Runs the sample of the package's README as it stands there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runSample } from '../../../scripts/testing/readme.ts';
import * as convert from './convert/convert.ts';
import * as onnx from './index.ts';
import * as quantise from './quantise/index.ts';
import { differentiableOperators } from './operators/registry.ts';

const folder = join(import.meta.dirname, '..');
const text = readFileSync(join(folder, 'README.md'), 'utf8');

it('prints the outputs of the network, the loss and the gradients', () => {
  const { stdout, stderr } = runSample(folder);
  expect(stderr).toBe('');
  expect(stdout.trim().split('\n')).toEqual([
    'y float32 [batch, 10]',
    expect.stringMatching(/^loss\S* float32 \[\]$/),
    'grad:1.weight float32 [4]',
    'grad:1.bias float32 [4]',
    'grad:4.weight float32 [10, 64]',
    'grad:4.bias float32 [10]',
  ]);
});

it('prints the inputs that are left', () => {
  expect(runSample(folder, 1)).toMatchObject({ stdout: 'x\n', stderr: '' });
});

it('names only existing exports', () => {
  const table = text.slice(text.indexOf('| to …'), text.indexOf('Every error about'));
  const names = [...table.matchAll(/`([a-z]\w+)`/g)].map(([, name]) => name!);
  const apart = new Set(['batch']);
  expect(
    names.filter(
      (name) => !(name in onnx) && !(name in convert) && !(name in quantise) && !apart.has(name),
    ),
  ).toEqual([]);
  expect(names.length).toBeGreaterThan(30);
});

it('counts the operators that can be differentiated', () => {
  const [, count] = /over (\d+) operators/.exec(text)!;
  expect(differentiableOperators.length).toBeGreaterThan(Number(count));
});
