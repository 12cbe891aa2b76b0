/** One test for every sandbox driver: what contract.ts promises, tried with real programs. */
import { Buffer } from 'node:buffer';
import { readdirSync, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { createBubblewrap } from './bubblewrap/bubblewrap.ts';
import type {
  Command,
  Ending,
  Limits,
  SandboxDriver,
  SandboxSession,
  SessionOptions,
} from './contract.ts';
import { createDocker } from './docker/docker.ts';
import { createProcessSandbox } from './process/process.ts';

const MEBIBYTE = 1 << 20;
const LIMITS: Limits = {
  cpuMs: 20_000,
  wallMs: 60_000,
  memoryBytes: 64 * MEBIBYTE,
  pids: 32,
  outputBytes: 4 * MEBIBYTE,
  fileBytes: 32 * MEBIBYTE,
  diskBytes: 16 * MEBIBYTE,
};
const UNTRUSTED: SessionOptions = { mounts: [], limits: LIMITS, network: 'none', untrusted: true };
const TRUSTED: SessionOptions = {
  mounts: [],
  limits: { ...LIMITS, diskBytes: Infinity },
  network: 'host',
  untrusted: false,
};

const DRIVERS = [
  {
    name: 'bubblewrap',
    skip: requireComponent('bubblewrap').skip,
    create: () => createBubblewrap(),
    options: UNTRUSTED,
  },
  {
    name: 'docker',
    skip: requireComponent('sandbox-image').skip,
    create: () => createDocker(),
    options: UNTRUSTED,
  },
  {
    name: 'process',
    skip: process.platform !== 'linux',
    create: () => createProcessSandbox(),
    options: TRUSTED,
  },
] as const;

describe.each(DRIVERS.filter(({ skip }) => !skip))('$name', ({ name, create, options }) => {
  const isolates = options.untrusted;
  let driver: SandboxDriver;
  let session: SandboxSession;

  beforeAll(async () => {
    driver = create();
    session = await driver.open(options);
  }, 120_000);
  afterAll(async () => await driver.close(), 60_000);

  const sh = async (
    script: string,
    more: Partial<Command> = {},
  ): Promise<Ending & { out: string; err: string }> => {
    const command: Command = { argv: ['sh', '-c', script], workspace: 'writable', ...more };
    const { stdout, stderr, ...ending } = await session.run(command);
    return { ...ending, out: Buffer.from(stdout).toString(), err: Buffer.from(stderr).toString() };
  };
  const collected = async (paths: string[], maxBytes = MEBIBYTE): Promise<Map<string, string>> => {
    const files = new Map<string, string>();
    for await (const { path, content } of session.collect(paths, maxBytes)) {
      files.set(path, Buffer.concat(await all(content)).toString('latin1'));
    }
    return files;
  };

  describe('a command', () => {
    test('ends with its exit status', async () => {
      expect(await sh('exit 42')).toMatchObject({ endedBy: 'exit', exitCode: 42, signal: null });
      expect(await sh('exit 255')).toMatchObject({ endedBy: 'exit', exitCode: 255, signal: null });
    });

    test('ends by a signal', async () => {
      const ending = await sh('kill -SEGV $$');
      expect(ending).toMatchObject({ endedBy: 'signal', exitCode: null, signal: 'SIGSEGV' });
    });

    test('that does not exist ends as in a shell, and so does what cannot be executed', async () => {
      const missing = await session.run({ argv: ['no-such-program'], workspace: 'writable' });
      expect(missing).toMatchObject({ endedBy: 'exit', exitCode: 127 });
      const folder = await session.run({ argv: ['/usr'], workspace: 'writable' });
      expect(folder).toMatchObject({ endedBy: 'exit', exitCode: 126 });
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
            const { stdout } = await session.run({
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

    test('has an environment of its own, and starts in the workspace or where it is told', async () => {
      const { out } = await sh('pwd; env | sort; cd /; pwd', { env: { WHO: 'guest' } });
      expect(out).toContain('WHO=guest\n');
      expect(out).toMatch(/^LANG=C\.UTF-8$/m);
      expect(out).not.toMatch(/^(VITEST|npm_|NODE_)/m);
      expect(out.split('\n')[0]).toBe(session.workspace);
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

    test('may stop reading what it is fed', async () => {
      const { out, endedBy } = await sh('head -c 3', { stdin: Readable.from(endless()) });
      expect([out, endedBy]).toEqual(['abc', 'exit']);
    });

    test('talks over pipes while it runs', async () => {
      const command = session.start({
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
      const asked = session.start({ argv: ['sh', '-c', ready], workspace: 'writable' });
      await once(asked.stdout, 'ready');
      asked.signal('SIGTERM');
      expect(await asked.ended).toMatchObject({ endedBy: 'exit', exitCode: 7 });

      const killed = session.start({ argv: ['sh', '-c', ready], workspace: 'writable' });
      await once(killed.stdout, 'ready');
      expect(await killed.kill()).toMatchObject({
        endedBy: 'killed',
        exitCode: null,
        signal: 'SIGKILL',
      });
      expect(await killed.kill()).toBe(await killed.ended);
    });

    test('killed before it has started never starts', async () => {
      const command = session.start({
        argv: ['sh', '-c', 'echo started; sleep 60'],
        workspace: 'writable',
      });
      const out = text(command.stdout);
      command.stderr.resume();
      expect(await command.kill()).toMatchObject({ endedBy: 'killed' });
      expect(['', 'started\n']).toContain(await out);
    });

    test('takes what it left in the background along', async () => {
      const mark = `60.${Math.floor(Math.random() * 1e9)}`;
      const { endedBy, out } = await sh(
        `sleep ${mark} & setsid sleep ${mark} & (setsid sh -c 'sleep ${mark}; true' &) ; echo done`,
      );
      expect([endedBy, out]).toEqual(['exit', 'done\n']);
      expect(processesWith(mark)).toEqual([]);
    });

    test('of which nothing can be made is refused', () => {
      const start = (command: Partial<Command>) => () =>
        session.start({ argv: ['true'], workspace: 'writable', ...command });
      expect(start({ argv: [] })).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
      expect(start({ argv: ['a\0b'] })).toThrow(/NUL/);
      expect(start({ argv: ['echo', 'x'.repeat(200_000)] })).toThrow(/longer than/);
      expect(start({ env: { 'a=b': 'c' } })).toThrow(/no name of a variable/);
      expect(start({ cwd: 'here' })).toThrow(/absolute/);
    });

    test('runs beside others', async () => {
      const runs = await Promise.all(
        Array.from({ length: 6 }, async (_, index) => await sh(`sleep 0.1; echo ${index}`)),
      );
      expect(runs.map(({ out }) => out.trim())).toEqual(['0', '1', '2', '3', '4', '5']);
    });
  });

  describe('a limit', () => {
    test('of cpu time, of all processes together, by the kernel’s account', async () => {
      const busy = await sh('while :; do :; done & while :; do :; done', {
        limits: { cpuMs: 300 },
      });
      expect(busy).toMatchObject({ endedBy: 'cpu-limit', exitCode: null });
      expect(busy.usage.cpuMs).toBeGreaterThan(300);
      expect(busy.usage.cpuMs).toBeLessThan(600);
    });

    test('of wall time, which sleeping uses up and cpu time is not', async () => {
      const asleep = await sh('sleep 60', { limits: { wallMs: 400 } });
      expect(asleep.endedBy).toBe('wall-limit');
      expect(asleep.usage.wallMs).toBeGreaterThanOrEqual(400);
      expect(asleep.usage.cpuMs).toBeLessThan(200);
    });

    test('of memory, and what was used is counted', async () => {
      const bomb = await sh('head -c 300000000 /dev/zero | tail');
      expect(bomb.endedBy).toBe('out-of-memory');
      expect(bomb.usage.peakMemoryBytes).toBeLessThanOrEqual(LIMITS.memoryBytes);
      const large = await sh('head -c 30000000 /dev/zero | tail | wc -c');
      expect(large).toMatchObject({ endedBy: 'exit', out: '30000000\n' });
      expect(large.usage.peakMemoryBytes).toBeGreaterThan(28 * MEBIBYTE);
    });

    test('of processes', async () => {
      const crowd = 'for i in 1 2 3 4 5 6 7 8; do sleep 30 & done; echo all';
      const { out, endedBy } = await sh(crowd, { limits: { pids: 5 } });
      expect([endedBy, out]).toEqual(['exit', '']);
      expect((await sh(crowd, { limits: { pids: 20 } })).out).toBe('all\n');
    });

    test('of output, of both streams together', async () => {
      const flood = await sh('yes & yes >&2', { limits: { outputBytes: 10_000 } });
      expect(flood.endedBy).toBe('output-limit');
      expect(flood.out.length + flood.err.length).toBe(10_000);
      expect(flood.usage.outputBytes).toBe(10_000);
      const exact = await sh('head -c 10000 /dev/zero', { limits: { outputBytes: 10_000 } });
      expect(exact).toMatchObject({ endedBy: 'exit', usage: { outputBytes: 10_000 } });
    });

    test('of one file', async () => {
      const { exitCode, out } = await sh(
        'head -c 9000 /dev/zero > f; s=$?; wc -c < f; rm f; exit $s',
        { limits: { fileBytes: 4096 } },
      );
      expect(exitCode).not.toBe(0);
      expect(Number(out)).toBeLessThanOrEqual(4096);
    });

    test.runIf(isolates)('of the disk', async () => {
      const { exitCode, err } = await sh(
        'for i in 1 2 3; do head -c 8000000 /dev/zero > d$i || exit 3; done',
      );
      expect(exitCode).toBe(3);
      expect(err).toMatch(/No space left/);
      expect((await sh('rm d*; head -c 8000000 /dev/zero > d; rm d')).exitCode).toBe(0);
    });

    test('cannot be widened by a command', async () => {
      const { endedBy } = await sh('head -c 300000000 /dev/zero | tail', {
        limits: { memoryBytes: 1e12 },
      });
      expect(endedBy).toBe('out-of-memory');
    });
  });

  describe('a workspace', () => {
    test('takes files and gives them back, however they are named', async () => {
      const files = [
        { path: 'plain', content: Buffer.from('1') },
        { path: 'a folder/-rf', content: Buffer.from('2') },
        { path: 'new\nline', content: Buffer.from('3') },
        { path: `${'long/'.repeat(40)}${'n'.repeat(200)}`, content: Buffer.from('4') },
        { path: 'ünïcödé/*?[]', content: Buffer.alloc(3000, 'x') },
      ];
      await session.put(files);
      const back = await collected(files.map(({ path }) => path));
      expect([...back]).toEqual(files.map(({ path, content }) => [path, content.toString()]));
      expect((await sh('rm -rf ./*')).exitCode).toBe(0);
    });

    test('has programs that were put executable, and can be put into again', async () => {
      await session.put([
        { path: 'tool', content: Buffer.from('#!/bin/sh\necho one\n'), executable: true },
      ]);
      expect((await sh('./tool')).out).toBe('one\n');
      await session.put([
        { path: 'tool', content: Buffer.from('#!/bin/sh\necho two\n'), executable: true },
      ]);
      expect((await sh('./tool; rm tool')).out).toBe('two\n');
    });

    test('holds no path that leaves it', async () => {
      for (const path of ['../x', '/x', 'a/../../x', 'a//b', './a', '']) {
        await expect(session.put([{ path, content: Buffer.from('') }])).rejects.toMatchObject({
          code: 'REQUEST_INVALID',
        });
        await expect(collected([path])).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
      }
    });

    test('gives out regular files only, and follows no link', async () => {
      await sh(
        'mkdir out; echo real > out/file; ln out/file out/hard; ln -s /etc/passwd out/link; ln -s /etc out/folder; mkfifo out/fifo; ln -s out alias',
      );
      expect(Object.fromEntries(await collected(['out']))).toEqual(
        Object.fromEntries([
          ['out/file', 'real\n'],
          ['out/hard', 'real\n'],
        ]),
      );
      for (const path of ['out/link', 'out/fifo', 'alias', 'alias/file', 'out/folder/passwd']) {
        await expect(collected([path]), path).rejects.toMatchObject({
          code: 'SANDBOX_OUTPUT_MISSING',
        });
      }
      await sh('rm -rf out alias');
    });

    test('is put into without following what a guest planted', async () => {
      await sh(
        `mkdir -p real; echo kept > real/kept; ln -s "$PWD/real/kept" file; ln -s real folder; mkfifo pipe`,
      );
      await session.put(
        ['file', 'folder/new', 'pipe'].map((path) => ({ path, content: Buffer.from('put') })),
      );
      const { out } = await sh(`cat real/kept file folder/new pipe; ls real; rm -rf ./*`);
      expect(out).toBe('kept\nputputputkept\n');
    });

    test('gives out what its modes forbid', async () => {
      await sh('mkdir -p shut/in; echo secret > shut/in/file; chmod 0 shut/in/file shut/in shut');
      expect([...(await collected(['shut']))]).toEqual([['shut/in/file', 'secret\n']]);
      await sh('chmod 700 shut; chmod 700 shut/in; rm -rf shut');
    });

    test('says which outputs are missing, and which are too large', async () => {
      await sh('echo here > here; head -c 5000 /dev/zero > big');
      await expect(collected(['here', 'gone', 'no/where'])).rejects.toThrow(/"gone", "no\/where"/);
      await expect(collected(['big'], 4999)).rejects.toMatchObject({
        code: 'SANDBOX_OUTPUT_TOO_LARGE',
      });
      expect((await collected(['big'], 5000)).get('big')).toHaveLength(5000);
      await sh('rm here big');
    });

    test('lets a file be left half read, and the rest unread', async () => {
      await sh(
        'mkdir many; for i in 1 2 3; do head -c 100000 /dev/zero > many/$i; echo $i >> many/$i; done',
      );
      const seen: string[] = [];
      for await (const { path, content } of session.collect(['many'], MEBIBYTE)) {
        seen.push(path);
        for await (const _ of content) break;
      }
      expect(seen.toSorted()).toEqual(['many/1', 'many/2', 'many/3']);
      for await (const { path } of session.collect(['many'], MEBIBYTE)) {
        seen.push(path);
        break;
      }
      expect(seen).toHaveLength(4);
      await sh('rm -rf many');
    });

    test('is closed to what runs when files are collected', async () => {
      const command = session.start({
        argv: ['sh', '-c', 'echo x > f; echo ready; sleep 60'],
        workspace: 'writable',
      });
      await once(command.stdout, 'ready');
      expect((await collected(['f'])).get('f')).toBe('x\n');
      expect((await command.ended).endedBy).toBe('killed');
      await sh('rm f');
    });

    test.runIf(isolates)('can be kept from being changed', async () => {
      await session.put([{ path: 'given', content: Buffer.from('given') }]);
      const { out } = await sh(
        'cat given; for f in given new; do echo x 2>/dev/null > $f || echo no; done; rm given 2>/dev/null || echo no; echo t > /tmp/t && cat /tmp/t',
        { workspace: 'read-only' },
      );
      expect(out).toBe('givenno\nno\nno\nt\n');
      expect((await sh('ls /tmp', { workspace: 'read-only' })).out).toBe('');
      await sh('rm given');
    });
  });

  test('two sessions talk to each other over pipes', async () => {
    const other = await driver.open(options);
    const start = (where: SandboxSession, script: string) =>
      where.start({ argv: ['sh', '-c', script], workspace: 'writable', stdin: 'pipe' });
    const guesser = start(
      session,
      'read -r first; echo $((first * 2)); read -r last; [ "$last" = right ]',
    );
    const judge = start(other, 'echo 21; read -r answer; [ "$answer" = 42 ] && echo right');
    guesser.stderr.resume();
    judge.stderr.resume();
    if (guesser.stdin === undefined || judge.stdin === undefined) throw new Error('no pipes');
    guesser.stdout.pipe(judge.stdin);
    judge.stdout.pipe(guesser.stdin);
    expect([(await guesser.ended).exitCode, (await judge.ended).exitCode]).toEqual([0, 0]);
    await other.close();
  });

  test('a closed session has left nothing, and takes no more', async () => {
    const mark = `61.${Math.floor(Math.random() * 1e9)}`;
    const closing = await driver.open(options);
    const command = closing.start({
      argv: ['sh', '-c', `echo ready; sleep ${mark}`],
      workspace: 'writable',
    });
    await once(command.stdout, 'ready');
    await closing.close();
    expect((await command.ended).endedBy).toBe('killed');
    expect(processesWith(mark)).toEqual([]);
    await closing.close();
    expect(() => closing.start({ argv: ['true'], workspace: 'writable' })).toThrow(/closed/);
  });

  test('what cannot be held is refused, with what is missing', async () => {
    const refusal = (more: Partial<SessionOptions>) =>
      expect(driver.open({ ...options, ...more })).rejects;
    const unsupported = { code: 'SANDBOX_UNSUPPORTED' };
    const here = await driver.availability();
    if (!here.available) throw new Error(here.reason);
    if (!here.enforcement.network.allowList) {
      await refusal({ network: { allow: ['example.org:443'] } }).toMatchObject(unsupported);
    }
    if (!here.enforcement.untrusted) {
      await refusal({ untrusted: true, network: 'none' }).toThrow(/isolates nothing/);
      await refusal({ network: 'none' }).toMatchObject(unsupported);
      await refusal({ limits: LIMITS }).toThrow(
        /limits\.diskBytes = 16777216 .*bubblewrap or Docker/s,
      );
      await refusal({ image: '/' }).toMatchObject(unsupported);
    }
    await refusal({ limits: { ...options.limits, pids: 0 } }).toMatchObject({
      code: 'REQUEST_INVALID',
    });
    await refusal({ limits: { ...options.limits, wallMs: Number.NaN } }).toThrow(
      /limits\.wallMs is NaN/,
    );
  });

  test('it says what it holds', async () => {
    const here = await driver.availability();
    expect(here).toMatchObject({ available: true, enforcement: { untrusted: isolates } });
    expect(driver.name).toBe(name);
  });
});

async function all(content: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(Uint8Array.from(chunk));
  return chunks;
}

/** Resolves when the stream has said something; goes on reading it. */
async function once(stream: Readable, what: string): Promise<void> {
  let said = '';
  await new Promise<void>((resolve) => {
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes(what)) resolve();
    });
  });
}

function* endless(): Generator<Buffer> {
  for (;;) yield Buffer.from('abcdefgh');
}

/** Living processes of this machine that have the word among their arguments. */
function processesWith(word: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(word);
      } catch {
        return false;
      }
    });
}
