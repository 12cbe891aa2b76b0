import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, it } from 'vitest';
import { testFolder } from '../folder.ts';
import { followPage } from './follow.ts';
import type { Reader } from './reader.ts';

const ROOT = join(import.meta.dirname, '../../..');

/** Follows a page whose only command fails. */
function followFailing(printed: string, shown: string) {
  const page = join(testFolder(), 'page.md');
  writeFileSync(page, `\`\`\`sh\nfalse\n\`\`\`\n\n\`\`\`text\n${shown}\n\`\`\`\n`);
  const typed = { status: 1, lines: [printed] };
  const reader = { type: () => Promise.resolve(typed) } as unknown as Reader;
  return followPage(relative(ROOT, page), reader);
}

it('takes a failure that the page shows, and no other', async () => {
  const failure = '✗ cat dead (exit-code)';
  const reasonsOf = async (...given: [string, string]) =>
    (await followFailing(...given)).map(({ reason }) => reason);
  expect(await reasonsOf(failure, failure)).toEqual([undefined, undefined]);
  expect(await reasonsOf('2', '2')).toEqual(['exits with 1: 2', undefined]);
});
