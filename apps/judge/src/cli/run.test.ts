import { once } from 'node:events';
import {
  cpSync,
  createWriteStream,
  existsSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { ZipFile } from 'yazl';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { folderAmongPrograms, MINIMAL, packageFolder } from '../testing/package-folder.ts';
import { runCommandLine } from './run.ts';

const TIMEOUT = 120_000;

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const code = await runCommandLine(args, {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    signal: new AbortController().signal,
  });
  return { code, out, err };
}

async function zipped(folder: string): Promise<string> {
  const zip = new ZipFile();
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (statSync(join(folder, name)).isFile()) zip.addFile(join(folder, name), `echo/${name}`);
  }
  zip.end();
  const made = testFolder();
  const path = join(made, 'echo.kpp');
  await pipeline(zip.outputStream, createWriteStream(path));
  return path;
}

describe('skein-judge', () => {
  it('makes the folder of a judge for its first user, and for nothing else', async () => {
    const data = join(testFolder(), 'judge');
    for (const words of ['users ls', 'users', 'users key alice', 'users revoke k1']) {
      const { code, err } = await run(...words.split(' '), '--data', data);
      expect([words, code, err]).toEqual([words, 2, expect.stringContaining('has no judge.db')]);
    }
    expect((await run('users', 'add', '--data', data)).err).toContain('users needs one of');
    expect(existsSync(data)).toBe(false);
    expect(await run('users', 'add', 'alice', '--data', data)).toMatchObject({ code: 0, err: '' });
    expect((await run('users', 'ls', '--data', data)).out).toMatch(/^alice /);
  });

  it('lets nothing that it is given be obeyed by a terminal', async () => {
    const hostile = 'a\u001B]52;c;x\u0007\u009B2J';
    const shownIn = async (isTTY: boolean): Promise<string> => {
      let text = '';
      const stream = { isTTY, write: (more: string) => (text += more) };
      const terminal = {
        stdout: stream,
        stderr: stream,
        signal: new AbortController().signal,
      };
      await runCommandLine([hostile], terminal);
      await runCommandLine(['print'], terminal, {
        print: async (_operands, _options, { stdout }) => {
          stdout.write(hostile);
          return 0;
        },
      });
      return text;
    };
    const shown = await shownIn(true);
    // eslint-disable-next-line no-control-regex
    expect(shown).not.toMatch(/[\u0000-\u0009\u000B-\u001F\u007F-\u009F]/);
    expect(shown).toContain('a\\u001b]52;c;x\\u0007\\u009b2J');
    expect(await shownIn(false)).toContain(hostile);
  });

  it('explains itself', async () => {
    expect(await run('--help')).toMatchObject({
      code: 0,
      out: expect.stringContaining('Exit codes'),
    });
    expect(await run()).toMatchObject({ code: 2, err: expect.stringContaining('Usage') });
    expect(await run('bless')).toMatchObject({ code: 2, err: expect.stringContaining('bless') });
    expect(await run('verify', '--loud')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--loud'),
    });
  });

  it('explains how to start next to a service on the same port', { timeout: TIMEOUT }, async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void taken.close());
    await once(taken, 'listening');
    const port = String((taken.address() as AddressInfo).port);
    const data = testFolder();
    const given = ['--data', data, '--workers', 'none', '--port', port];
    expect(await run('serve', ...given)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/PORT_IN_USE\]\n {2}fix: Choose another with --port; 0 takes any/),
    });
    // The next start makes the admin and shows the key: one that is made here is never seen.
    expect((await run('users', 'ls', '--data', data)).out).toContain('No users');
  });

  it.each([['verify'], ['judge'], ['judge', 'package'], ['languages', 'c']])(
    'shows the way to the usage where words are missing or too many: %j',
    async (...words) => {
      const err = expect.stringMatching(/\[USAGE\]\n {2}fix: `skein-judge --help` shows the usage/);
      expect(await run(...words)).toMatchObject({ code: 2, out: '', err });
    },
  );

  it.each(['tomorrow', '2026-02-30T10:00:00Z'])('refuses the start %s', async (start) => {
    expect(await run('serve', '--start', start)).toMatchObject({
      code: 2,
      err: expect.stringContaining(`--start: "${start}" is not an instant`),
    });
  });

  it('judges nothing with a driver for trusted work', async () => {
    const answer = await run('verify', '--driver', 'process', packageFolder({}));
    expect(answer).toMatchObject({
      code: 2,
      err: expect.stringMatching(/--driver: "process" is not one of bubblewrap, docker.*\[USAGE\]/),
    });
  });
});

describe.skipIf(requireComponent('bubblewrap').skip)('skein-judge in bubblewrap', () => {
  const bubblewrap = ['--driver', 'bubblewrap'];

  it(
    'verifies an archive, and exits with 0 when it is in order',
    async () => {
      const answer = await run('verify', ...bubblewrap, '--json', await zipped(packageFolder({})));
      expect(answer.err).toBe('');
      const events = answer.out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { type: string });
      expect(events.at(-1)).toMatchObject({
        type: 'report',
        report: { problem: 'echo', ok: true },
      });
      expect(answer.code).toBe(0);
    },
    TIMEOUT,
  );

  it(
    'exits with 1 when a package is not in order, and gives the reason',
    async () => {
      const folder = packageFolder({ 'submissions/accepted/echo.py': 'print(0)\n' });
      const answer = await run('verify', ...bubblewrap, folder);
      expect(answer).toMatchObject({ code: 1, err: '' });
      expect(answer.out).toContain('FAIL accepted/echo.py: WA at sample/1');
    },
    TIMEOUT,
  );

  it(
    'takes an unknown key for an error with --strict alone',
    async () => {
      const folder = packageFolder({ 'problem.yaml': `${MINIMAL['problem.yaml']}  weight: 3\n` });
      const lenient = await run('verify', ...bubblewrap, folder);
      expect(lenient.out).toContain('warning: problem.yaml: limits.weight is not a key');
      expect(lenient.code).toBe(0);
      const strict = await run('verify', ...bubblewrap, '--strict', folder);
      expect(strict.out).toContain('FAIL problem.yaml: limits.weight is not a key');
      expect(strict.code).toBe(1);
    },
    TIMEOUT,
  );

  it(
    'exits with 2 when there is no package to judge',
    async () => {
      const answer = await run('verify', ...bubblewrap, packageFolder({ 'problem.yaml': 'a: [' }));
      expect(answer).toMatchObject({ code: 2, err: expect.stringContaining('PROBLEM_INVALID') });
      expect(await run('verify', ...bubblewrap, '/nowhere')).toMatchObject({ code: 2 });
    },
    TIMEOUT,
  );

  it.skipIf(process.getuid?.() !== 0)(
    'shows no program the package, not even among the programs of the machine',
    async () => {
      const place = folderAmongPrograms();
      const folder = join(place, 'echo');
      cpSync(packageFolder({}), folder, { recursive: true });
      const copying = join(testFolder(), 'copy.py');
      writeFileSync(copying, `print(open("${folder}/data/sample/1.ans").read())\n`);
      const judged = await run('judge', ...bubblewrap, folder, copying);
      expect(judged).toMatchObject({ code: 1, out: expect.stringContaining('RTE sample/1') });
    },
    TIMEOUT,
  );

  it(
    'distinguishes answers with the same base name by their folders',
    async () => {
      const folder = packageFolder({
        'problem.yaml': MINIMAL['problem.yaml']!.replace('limits:', 'type: submit-answer\nlimits:'),
        'submissions/accepted/echo.py': undefined,
        'submissions/accepted/all/sample/1.out': '1\n',
        'submissions/accepted/all/secret/1.out': '2\n',
        'submissions/accepted/all/secret/2.out': '3\n',
      });
      const answers = ['sample/1.out', 'secret/1.out', 'secret/2.out'].map((name) =>
        join(folder, 'submissions/accepted/all', name),
      );
      const judged = await run('judge', ...bubblewrap, folder, ...answers);
      expect(judged).toMatchObject({ code: 0, err: '', out: expect.stringContaining('accepted') });
    },
    TIMEOUT,
  );
});
