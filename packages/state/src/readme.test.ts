/** The sample of the package's README. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runSample } from '../../../scripts/testing/readme.ts';

it('reads an artifact and follows a change', () => {
  const { stdout, stderr } = runSample(join(import.meta.dirname, '..'));
  expect([stdout.split('\n').slice(1), stderr]).toEqual([['[]', 'deployment risk 1', ''], '']);
});
