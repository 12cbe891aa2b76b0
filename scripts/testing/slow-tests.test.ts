import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { SLOW_TESTS } from './slow-tests.ts';

it('names files and folders that exist', () => {
  const root = join(import.meta.dirname, '../..');
  expect(SLOW_TESTS.filter((file) => !existsSync(join(root, file.replace('**', ''))))).toEqual([]);
});
