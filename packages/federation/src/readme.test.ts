/** The sample of the package's README. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runSample } from '../../../scripts/testing/readme.ts';

it('completes a plan with both protections on', () => {
  const { stdout, stderr } = runSample(join(import.meta.dirname, '..'));
  expect([stdout, stderr]).toEqual(['pairwise 3\n', '']);
});
