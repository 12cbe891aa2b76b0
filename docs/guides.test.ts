/**
 * Follows README and guides literally: each command in its order, in a folder like a clone and with an empty home. The
 * output that a page shows must be printed. `scripts/testing/guides/page.ts` has the form of such pages.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { testFolder } from '../scripts/testing/folder.ts';
import { FOLLOWED, followPage } from '../scripts/testing/guides/follow.ts';
import { NOT_REPRODUCED } from '../scripts/testing/guides/not-reproduced.ts';
import { openReader, type Reader } from '../scripts/testing/guides/reader.ts';

let reader: Reader;
const excepted = new Set<string>();

beforeAll(() => {
  reader = openReader(testFolder());
});

afterAll(() => reader.end());

it.each(FOLLOWED)('%s shows what its commands print', { timeout: 240_000 }, async (page) => {
  const items = await followPage(page, reader);
  for (const { reason, isExcepted } of items) if (isExcepted && reason) excepted.add(reason);
  expect(items.filter(({ reason, isExcepted }) => reason !== undefined && !isExcepted)).toEqual([]);
  expect(items.length).toBeGreaterThan(5);
});

it('has no exception without a command', () => {
  const unused = NOT_REPRODUCED.filter(({ reason }) => !excepted.has(reason));
  expect(unused).toEqual([]);
});
