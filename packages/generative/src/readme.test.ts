/** The sample of the package's README. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runSample } from '../../../scripts/testing/readme.ts';

it('answers over the second provider when the quota of the first is spent', () => {
  const { stdout, stderr } = runSample(join(import.meta.dirname, '..'));
  expect(stderr).toBe('');
  expect(stdout).toContain('hi there');
  expect(stdout).toMatch(/provider: 'local'[\s\S]*attempts: 2/);
});
