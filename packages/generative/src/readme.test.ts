/** Runs the sample of the package's README. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';

const folder = join(import.meta.dirname, '..');

it('answers over the second provider when the quota of the first is spent', async () => {
  const [, sample] = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(folder, 'README.md'), 'utf8'))!;
  const place = mkdtempSync(join(folder, 'readme-'));
  onTestFinished(() => rmSync(place, { recursive: true }));
  writeFileSync(join(place, 'example.ts'), sample!);
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['example.ts'], {
    cwd: place,
  });
  expect(stderr).toBe('');
  expect(stdout).toContain('hi there');
  expect(stdout).toMatch(/provider: 'local'[\s\S]*attempts: 2/);
});
