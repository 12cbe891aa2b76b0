/** How a command begins, its inputs, and how it ends: the same with every driver. */
import { Buffer } from 'node:buffer';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { refusalOf } from '../command/plain-refusal.ts';
import type { Command } from '../contract.ts';
import { forEachDriver, processesWith, untilOutput } from '../testing/every-driver.ts';

forEachDriver((here) => {
  const { sh } = here;

  describe('a command', () => {
    test('ends with its exit status', async () => {
      expect(await sh('exit 42')).toMatchObject({ endedBy: 'exit', exitCode: 42, signal: null });
      expect(await sh('exit 255')).toMatchObject({ endedBy: 'exit', exitCode: 255, signal: null });
    });

    test('ends by a signal', async () => {
      const ending = await sh('kill -SEGV $$');
      expect(ending).toMatchObject({ endedBy: 'signal', exitCode: null, signal: 'SIGSEGV' });
    });

    test.each([
      ['no-such-program', 127, 'No such file or directory'],
      ['./no such program', 127, 'No such file or directory'],
      ['/usr', 126, 'Permission denied'],
    ])(
      'as %s, which cannot be executed, ends as in a shell and reports the reason',
      async (...row) => {
        const [program, exitCode, reason] = row;
        const ending = await here.session.run({ argv: [program, '-x'], workspace: 'writable' });
        expect(ending).toMatchObject({ endedBy: 'exit', exitCode });
        expect(String(Buffer.from(ending.stderr))).toBe(`${refusalOf(program, reason)}\n`);
      },
    );

    test('keeps its own output, even the words of a launcher', async () => {
      for (const text of ["env: 'x': No", 'bwrap: execvp', 'env: ', 'e']) {
        expect((await sh('printf %s "$TEXT" >&2', { env: { TEXT: text } })).err).toBe(text);
      }
    });

    test('gets its arguments and its environment as they are', async () => {
      const word = fc
        .string({ unit: 'grapheme', maxLength: 40 })
        .filter((each) => !each.includes('\0'));
      const odd = fc.constantFrom(
        '',
        ' ',
        '\n',
        'a\nb\n',
        '$(id)',
        '`id`',
        "'",
        '"',
        '\\',
        '-n',
        '--',
        '*',
        '\t x ',
      );
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.oneof(word, odd), { maxLength: 6 }),
          fc.oneof(word, odd),
          async (words, value) => {
            const { stdout } = await here.session.run({
              argv: ['sh', '-c', String.raw`printf '%s\0' "$@" "$VALUE"`, 'sh', ...words],
              env: { VALUE: value },
              workspace: 'writable',
            });
            expect(Buffer.from(stdout).toString().split('\0').slice(0, -1)).toEqual([
              ...words,
              value,
            ]);
          },
        ),
        { numRuns: 25 },
      );
    });

    test('has an environment of its own, and starts in the workspace or in its cwd', async () => {
      const { out } = await sh('pwd; env | sort; cd /; pwd', { env: { WHO: 'guest' } });
      expect(out).toContain('WHO=guest\n');
      expect(out).toMatch(/^LANG=C\.UTF-8$/m);
      expect(out).not.toMatch(/^(VITEST|npm_|NODE_)/m);
      expect(out.split('\n')[0]).toBe(here.session.workspace);
      expect((await sh('pwd', { cwd: '/usr' })).out).toBe('/usr\n');
    });

    test('is fed bytes, a stream, or nothing', async () => {
      expect((await sh('cat', { stdin: Buffer.from('bytes') })).out).toBe('bytes');
      expect(
        (await sh('cat', { stdin: Readable.from([Buffer.from('a '), Buffer.from('stream')]) })).out,
      ).toBe('a stream');
      expect((await sh('cat')).out).toBe('');
    });

    test('may open its stdin, stdout and stderr by name', async () => {
      const { out, err } = await sh('cat /dev/stdin > /dev/stdout; echo oops > /dev/stderr', {
        stdin: Buffer.from('in'),
      });
      expect([out, err]).toEqual(['in', 'oops\n']);
    });

    test('may stop reading its stdin', async () => {
      const { out, endedBy } = await sh('head -c 3', { stdin: Readable.from(endless()) });
      expect([out, endedBy]).toEqual(['abc', 'exit']);
    });

    test('talks over pipes while it runs', async () => {
      const command = here.session.start({
        argv: ['sh', '-c', 'while read -r line; do echo "<$line>"; done'],
        workspace: 'writable',
        stdin: 'pipe',
      });
      command.stderr.resume();
      const lines = command.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
      for (const word of ['one', 'two']) {
        command.stdin?.write(`${word}\n`);
        expect(String((await lines.next()).value)).toBe(`<${word}>\n`);
      }
      command.stdin?.end();
      expect(await command.ended).toMatchObject({ endedBy: 'exit', exitCode: 0 });
    });

    test('ends gracefully when it is asked to, and at once when it is killed', async () => {
      const ready = `trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.05; done`;
      const asked = here.session.start({ argv: ['sh', '-c', ready], workspace: 'writable' });
      await untilOutput(asked.stdout, 'ready');
      asked.signal('SIGTERM');
      expect(await asked.ended).toMatchObject({ endedBy: 'exit', exitCode: 7 });

      const killed = here.session.start({ argv: ['sh', '-c', ready], workspace: 'writable' });
      await untilOutput(killed.stdout, 'ready');
      expect(await killed.kill()).toMatchObject({
        endedBy: 'killed',
        exitCode: null,
        signal: 'SIGKILL',
      });
      expect(await killed.kill()).toBe(await killed.ended);
    });

    test('killed before it has started never starts', async () => {
      const command = here.session.start({
        argv: ['sh', '-c', 'echo started; sleep 60'],
        workspace: 'writable',
      });
      const out = text(command.stdout);
      command.stderr.resume();
      expect(await command.kill()).toMatchObject({ endedBy: 'killed' });
      expect(['', 'started\n']).toContain(await out);
    });

    test('ends the processes that it left in the background', async () => {
      const mark = `60.${Math.floor(Math.random() * 1e9)}`;
      const { endedBy, out } = await sh(
        `sleep ${mark} & setsid sleep ${mark} & (setsid sh -c 'sleep ${mark}; true' &) ; echo done`,
      );
      expect([endedBy, out]).toEqual(['exit', 'done\n']);
      expect(processesWith(mark)).toEqual([]);
    });

    test('that cannot be started is refused', () => {
      const start = (command: Partial<Command>) => () =>
        here.session.start({ argv: ['true'], workspace: 'writable', ...command });
      expect(start({ argv: [] })).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
      expect(start({ argv: ['a\0b'] })).toThrow(/NUL/);
      expect(start({ argv: ['echo', 'x'.repeat(200_000)] })).toThrow(/longer than/);
      expect(start({ env: { 'a=b': 'c' } })).toThrow(/not the name of a variable/);
      expect(start({ cwd: 'here' })).toThrow(/absolute/);
    });

    test('runs at the same time as others', async () => {
      const runs = await Promise.all(
        Array.from({ length: 6 }, async (_, index) => await sh(`sleep 0.1; echo ${index}`)),
      );
      expect(runs.map(({ out }) => out.trim())).toEqual(['0', '1', '2', '3', '4', '5']);
    });
  });
});

function* endless(): Generator<Buffer> {
  for (;;) yield Buffer.from('abcdefgh');
}
