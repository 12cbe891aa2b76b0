import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { SLOW_TESTS } from './slow-tests.ts';

it('names files that exist', () => {
  const root = join(import.meta.dirname, '../..');
  expect(SLOW_TESTS.filter((file) => !existsSync(join(root, file)))).toEqual([]);
});
