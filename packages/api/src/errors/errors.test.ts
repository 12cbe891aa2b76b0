import { globSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import { ERRORS } from '../errors.ts';

const AREAS = globSync(join(import.meta.dirname, '*.ts')).filter(
  (path) => !['row.ts', 'errors.test.ts'].includes(basename(path)),
);

it('has each code of each area, and each in one area only', async () => {
  const areas = await Promise.all(
    AREAS.map(async (path) => (await import(path)) as Record<string, object>),
  );
  const codes = areas.flatMap((area) => Object.values(area).flatMap((table) => Object.keys(table)));
  expect(codes.toSorted()).toEqual(Object.keys(ERRORS).toSorted());
});
