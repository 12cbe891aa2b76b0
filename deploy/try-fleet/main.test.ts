/** The refusals of wrong command lines. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const run = (...words: string[]) =>
  spawnSync(process.execPath, [join(import.meta.dirname, 'main.ts'), ...words], {
    encoding: 'utf8',
  });

test.each([
  [['--bogus'], "Unknown option '--bogus'"],
  [['--image'], '<value>'],
  [['--engine', 'lxc'], '--engine is podman or docker, not lxc'],
  [['--seconds', 'x'], '--seconds: "x" is not a number of seconds'],
])('%j is refused with the usage', (words, why) => {
  const { status, stderr } = run(...words);
  expect(status).toBe(2);
  expect(stderr).toMatch(/^try-fleet: [^\n]+\nUsage: [^\n]+\n$/);
  expect(stderr).toContain(why);
});

test('--help shows the usage', () => {
  expect(run('--help')).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('--seconds N'),
  });
});
