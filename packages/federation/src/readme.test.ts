/** Runs the sample of the package's README as a file of its own. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';

const folder = join(import.meta.dirname, '..');

it('completes a plan with both protections on', () => {
  const [, sample] = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(folder, 'README.md'), 'utf8'))!;
  const place = mkdtempSync(join(folder, 'readme-'));
  onTestFinished(() => rmSync(place, { recursive: true }));
  writeFileSync(join(place, 'example.ts'), sample!);
  const { stdout, stderr } = spawnSync(process.execPath, ['example.ts'], {
    cwd: place,
    encoding: 'utf8',
  });
  expect([stdout, stderr]).toEqual(['pairwise 3\n', '']);
});
