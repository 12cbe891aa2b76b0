/** The samples of the package's README. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runSample } from '../../../scripts/testing/readme.ts';

it.each([
  ['learns exclusive or, and has a model to serve', 0, 'true y'],
  ['trains from a file into a run, interrupted and resumed', 1, 'interrupted finished 20 true'],
  ['trains four sites together, privately', 4, 'true true'],
])('%s', (_, sample, printed) => {
  const { stdout, stderr } = runSample(join(import.meta.dirname, '..'), sample);
  expect(stderr).toBe('');
  expect(stdout.trim()).toBe(printed);
});
