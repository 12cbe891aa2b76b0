/** The sample of the package's README. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runSample } from '../../../scripts/testing/readme.ts';

it('packs a bundle and installs it', () => {
  const { stdout, stderr } = runSample(join(import.meta.dirname, '..'));
  expect([stdout, stderr]).toEqual(['updated 1 true\n', '']);
});
