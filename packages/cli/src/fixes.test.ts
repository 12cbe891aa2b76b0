/** The commands in the fixes of the error table exist, and so do their options. */
import { ERRORS } from '@skein/api/errors';
import { expect, it } from 'vitest';
import { COMMAND_NAMES } from './commands.ts';
import { runCli } from './testing/cli.ts';

interface Named {
  readonly code: string;
  readonly words: readonly string[];
  readonly options: readonly string[];
}

const named: Named[] = Object.entries(ERRORS).flatMap(([code, { fix }]) =>
  [...fix.matchAll(/`skein ([^`]+)`/g)].map(([, line = '']) => {
    const words = line.split(' ');
    const end = words.findIndex((word) => !/^[a-z-]+$/.test(word) || word.startsWith('-'));
    return {
      code,
      words: end === -1 ? words : words.slice(0, end),
      options: words.filter((word) => word.startsWith('--')),
    };
  }),
);

it('the table names commands', () => {
  expect(named.length).toBeGreaterThan(10);
});

it.each(named)('the fix of $code names a command that exists', async (fix) => {
  const name = fix.words.join(' ');
  expect(['help', ...COMMAND_NAMES], name).toContain(name);
  const args = ['help', ...fix.words.filter((word) => word !== 'help')];
  const { code, stdout } = await runCli(args, { cwd: import.meta.dirname });
  expect(code).toBe(0);
  for (const option of fix.options) expect(stdout).toContain(option);
});
