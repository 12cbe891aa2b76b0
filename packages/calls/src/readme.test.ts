/** The sample of the package's README: its worker is the same file. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runSample } from '../../../scripts/testing/readme.ts';

it('calls a function and reads a stream', () => {
  const { stdout, stderr } = runSample(join(import.meta.dirname, '..'));
  expect([stdout, stderr]).toEqual(['144\n1\n2\n3\n', '']);
});
