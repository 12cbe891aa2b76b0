/** The sample of the package's README. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runSample } from '../../../scripts/testing/readme.ts';

it('publishes, and reads what was published', () => {
  const { stdout, stderr } = runSample(join(import.meta.dirname, '..'));
  expect([stdout, stderr]).toEqual(["[ 'risk.json' ] 1\n", '']);
});
