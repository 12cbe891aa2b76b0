/** Runs the samples of the package's README as they stand there. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';

const folder = join(import.meta.dirname, '..');
const readme = readFileSync(join(folder, 'README.md'), 'utf8');
const samples = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)];

it.each([
  ['learns exclusive or, and has a model to serve', 0, 'true y'],
  ['trains from a file into a run, interrupted and resumed', 1, 'interrupted finished 20 true'],
  ['trains four sites together, privately', 4, 'true true'],
])('%s', (_, sample, printed) => {
  // Inside of the package, where its name can be resolved.
  const place = mkdtempSync(join(folder, '.readme-'));
  onTestFinished(() => rmSync(place, { recursive: true, force: true }));
  const file = join(place, 'sample.ts');
  writeFileSync(file, samples[sample]![1]!);
  const { stdout, stderr } = spawnSync(process.execPath, [file], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout.trim()).toBe(printed);
});
