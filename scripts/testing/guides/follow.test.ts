import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
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

it('counts a command that is not run here apart, unless its part here fails', async () => {
  const page = join(testFolder(), 'docs/guide/google-cloud.md');
  mkdirSync(dirname(page), { recursive: true });
  writeFileSync(page, '```sh\ngcloud auth login\n```\n');
  const typed: string[] = [];
  const follow = async (status: number) => {
    const type = (command: string) => {
      typed.push(command);
      return Promise.resolve({ status, lines: ['syntax error'] });
    };
    const [item] = await followPage(relative(ROOT, page), { type } as unknown as Reader);
    return item;
  };
  const unrun = { reason: 'needs Google Cloud', isExcepted: true };
  expect(await follow(0)).toMatchObject(unrun);
  const failed = await follow(2);
  expect(failed?.reason).toBe("bash -n -c 'gcloud auth login' exits with 2: syntax error");
  expect(failed).not.toHaveProperty('isExcepted');
  expect(typed).toEqual(Array(2).fill("bash -n -c 'gcloud auth login'"));
});
