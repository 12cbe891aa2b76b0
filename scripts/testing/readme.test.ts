/** The samples of the packages' READMEs run as they stand: a name that they import may be gone. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { runSample } from './readme.ts';

const root = join(import.meta.dirname, '../..');
const packages = globSync('packages/*/README.md', { cwd: root })
  .filter((page) => readFileSync(join(root, page), 'utf8').includes('```ts\n'))
  .map((page) => dirname(page));

it.for(packages)('runs the sample of %s', { timeout: 60_000 }, (name) => {
  const { status, stderr } = runSample(join(root, name));
  expect([status, stderr]).toEqual([0, '']);
});
