/**
 * Follows README and guides literally: each command in its order, in a folder like a clone and with an empty home. The
 * output that a page shows must be printed. `scripts/testing/guides/page.ts` has the form of such pages.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { requireComponent } from '../scripts/testing/components.ts';
import { testFolder } from '../scripts/testing/folder.ts';
import { FOLLOWED, FOLLOWED_ALONE, followPage, NEEDED } from '../scripts/testing/guides/follow.ts';
import { isRun, NOT_REPRODUCED } from '../scripts/testing/guides/not-reproduced.ts';
import { openReader, type Reader } from '../scripts/testing/guides/reader.ts';

let reader: Reader;
const followed: string[] = [];
const excepted = new Set<string>();

beforeAll(() => {
  reader = openReader(testFolder());
});

afterAll(() => reader.end());

const PAGES = [...FOLLOWED, ...FOLLOWED_ALONE];

it.for(PAGES)('%s shows what its commands print', { timeout: 240_000 }, async (page, test) => {
  for (const name of NEEDED[page] ?? []) {
    const { skip, reason } = requireComponent(name);
    test.skip(skip, reason);
  }
  followed.push(page);
  let follower = reader;
  if (FOLLOWED_ALONE.includes(page)) {
    follower = openReader(testFolder());
    test.onTestFinished(() => follower.end());
  }
  const items = await followPage(page, follower);
  for (const { reason, isExcepted } of items) if (isExcepted && reason) excepted.add(reason);
  expect(items.filter(({ reason, isExcepted }) => reason !== undefined && !isExcepted)).toEqual([]);
  expect(items.length).toBeGreaterThan(0);
});

it('has no exception without a command', () => {
  const unused = NOT_REPRODUCED.filter(
    (each) =>
      followed.some((page) => each.page.test(page)) && !excepted.has(each.reason) && !isRun(each),
  );
  expect(unused).toEqual([]);
});
