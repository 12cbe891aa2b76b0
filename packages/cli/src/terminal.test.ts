/**
 * Hostile text of jobs on a real pseudo-terminal: no control sequence of it may reach the terminal.
 */
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { testFolder } from '../../../scripts/testing/folder.ts';
import { runCli, type CliOutcome } from './testing/cli.ts';
import { TRUSTED } from './testing/trusted.ts';

const MAIN = join(import.meta.dirname, 'main.ts');
const PYTHON = '/usr/bin/python3';
/** Runs a command on a pseudo-terminal, and copies what is written to it. */
const ON_A_TERMINAL =
  'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))';

/** Clipboard, title, clear, one-byte CSI, a change of direction, and colours as Skein has them. */
const HOSTILE =
  '\u001B[1m\u001B[31m\u001B]52;c;aGk=\u0007\u001B]0;owned\u0007\u001B[2J\u009B31mred\u202Egnp.exe';
/** A string as `printf` writes it. */
const PRINTF = [...Buffer.from(HOSTILE)]
  .map((byte) => `\\${byte.toString(8).padStart(3, '0')}`)
  .join('');

let folder: string;
beforeEach(() => {
  folder = testFolder();
});

/** Without colours of Skein, so that each one is the guest's. */
const onTerminal = (...args: string[]): Promise<CliOutcome> =>
  runCli(args, {
    cwd: folder,
    env: { TERM: 'xterm', NO_COLOR: '1' },
    program: [PYTHON, '-c', ON_A_TERMINAL, process.execPath, MAIN],
  });
const piped = (...args: string[]): Promise<CliOutcome> => runCli(args, { cwd: folder });

/** The control bytes on a terminal, without the line that Skein rewrites. */
function obeyed(text: string): string[] {
  // eslint-disable-next-line no-control-regex
  const rest = text.replaceAll(/\r\u001B\[K|\r\n/g, '');
  // eslint-disable-next-line no-control-regex
  return rest.match(/[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069]/g) ?? [];
}

it('shows what a job prints, is called and fails with as text', { timeout: 60_000 }, async () => {
  const script = `printf '${PRINTF}'; printf '${PRINTF}' >&2; exit 3`;
  const ran = await onTerminal(
    'run',
    ...TRUSTED,
    '--name',
    `job${HOSTILE}`,
    '--',
    '/bin/sh',
    '-c',
    script,
  );
  expect(ran.code).toBe(1);
  expect(ran.stdout).toContain('\\u001b]52;c;aGk=\\u0007');
  expect(obeyed(ran.stdout)).toEqual([]);
  const { jobs } = JSON.parse((await piped('jobs', 'ls', '--json')).stdout) as {
    jobs: { id: string }[];
  };
  const { id } = jobs[0]!;
  for (const command of [['ls'], ['show', id], ['logs', id], ['show', id, '--json']]) {
    const shown = await onTerminal('jobs', ...command);
    expect(shown.stdout).toContain('\\u001b]0;owned\\u0007');
    expect(obeyed(shown.stdout)).toEqual([]);
  }
  // `--raw` writes the bytes unchanged, and so does a file.
  expect((await onTerminal('jobs', 'logs', id, '--raw')).stdout).toContain(HOSTILE);
  expect((await piped('jobs', 'logs', id)).stdout).toContain(HOSTILE);
});

it('prints an error about hostile words without obeying them', { timeout: 30_000 }, async () => {
  const failed = await onTerminal('jobs', 'show', `no${HOSTILE}`);
  expect(failed.code).toBe(1);
  expect(obeyed(failed.stdout)).toEqual([]);
});
