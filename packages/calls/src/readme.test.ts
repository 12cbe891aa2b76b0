/** Runs the sample of the package's README as a file of its own: its worker is the same file. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';

const folder = join(import.meta.dirname, '..');

it('calls a function and reads a stream', () => {
  const [, sample] = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(folder, 'README.md'), 'utf8'))!;
  const place = mkdtempSync(join(folder, 'readme-'));
  onTestFinished(() => rmSync(place, { recursive: true }));
  writeFileSync(join(place, 'example.ts'), sample!);
  const { stdout, stderr } = spawnSync(process.execPath, [join(place, 'example.ts')], {
    encoding: 'utf8',
  });
  expect([stdout, stderr]).toEqual(['144\n1\n2\n3\n', '']);
});
