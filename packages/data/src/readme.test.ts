/** The sample of the package's README. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runSample } from '../../../scripts/testing/readme.ts';

it('runs a statement over a table', () => {
  const { stdout, stderr } = runSample(join(import.meta.dirname, '..'));
  expect([stdout, stderr]).toEqual(['city,total\noslo,2\nrome,4 true\n', '']);
});
