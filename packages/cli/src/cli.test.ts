import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { testFolder } from '../../../scripts/testing/folder.ts';
import { openSqliteState } from '@skein/state';
import { COMMAND_NAMES } from './commands.ts';
import { runCli, startCli } from './testing/cli.ts';

const BIN = join(import.meta.dirname, '../bin/skein.js');

const cwd = testFolder();

const run = (...args: string[]) => runCli(args, { cwd });

describe('exit codes and streams', () => {
  it('0: the result on stdout, and no other output', async () => {
    const { code, stdout, stderr } = await run('version');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^skein \d+\.\d+\.\d+ \(Node [\d.]+, \S+\)\n$/);
  });

  it('2: a mistake, explained on stderr', async () => {
    const { code, stdout, stderr } = await run('deploy', '--isolation', 'vm', 'x.onnx');
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toBe(
      'error: --isolation: "vm" is not one of auto, thread, process. (USAGE)\n' +
        '  why: A command, an option or a value on the command line is wrong or missing.\n' +
        '  fix: `skein help deploy` shows the usage.\n',
    );
  });

  it('1: a failure, as one JSON document on stdout when asked for', async () => {
    const { code, stdout } = await run('ls', '--server', 'http://127.0.0.1:9', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      code: 'NODE_UNREACHABLE',
      error: expect.stringContaining('http://127.0.0.1:9') as unknown,
    });
  });

  it.each([
    [['--json', 'frobnicate'], 'There is no command "frobnicate".'],
    [['ls', '--jsn', '--json'], 'Unknown option --jsn. Did you mean "--json"?'],
  ])('mistakes too are JSON: %j', async (args, error) => {
    const { code, stdout } = await run(...args);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ code: 'USAGE', error });
  });

  it('a folder that was removed under the command is an error like others', () => {
    const main = join(import.meta.dirname, 'main.ts');
    const { status, stderr } = spawnSync(
      'sh',
      ['-c', `mkdir gone && cd gone && rmdir ../gone && "${process.execPath}" "${main}" ls`],
      { encoding: 'utf8', cwd },
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: The folder .* has been removed\. \(FILE_UNREADABLE\)\n/);
  });

  it('a reader that closes the pipe early is not an error', () => {
    const { status, stderr } = spawnSync(
      'bash',
      [
        '-c',
        `set -o pipefail; "${process.execPath}" "${join(import.meta.dirname, 'main.ts')}" help --json | head -c 10`,
      ],
      { encoding: 'utf8' },
    );
    expect([status, stderr]).toEqual([0, '']);
  });

  it.skipIf(!existsSync('/dev/full'))('a result that cannot be written is an error', () => {
    const main = join(import.meta.dirname, 'main.ts');
    const { status, stderr } = spawnSync(
      'bash',
      ['-c', `"${process.execPath}" "${main}" help --json > /dev/full`],
      { encoding: 'utf8' },
    );
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining('"stdout" cannot be written: the disk is full. (FILE_UNREADABLE)'),
    ]);
  });
});

describe('help', () => {
  it('lists every command when none is named', async () => {
    const { code, stdout } = await run();
    expect(code).toBe(0);
    for (const name of COMMAND_NAMES) expect(stdout).toContain(`  ${name} `);
  });

  it('shows the usage of one in three ways', async () => {
    const outputs = await Promise.all([
      run('help', 'keys', 'create'),
      run('keys', 'create', '--help'),
      run('keys', 'create', '-h', '--label'),
    ]);
    for (const { code, stdout } of outputs) {
      expect(code).toBe(0);
      expect(stdout).toContain('skein keys create [options]');
    }
  });

  it('shows the usage of a command that others begin with, and lists those', async () => {
    for (const words of [
      ['help', 'privacy'],
      ['privacy', '--help'],
    ]) {
      const { stdout } = await run(...words);
      expect(stdout).toContain('skein privacy [options]');
      expect(stdout).toContain('--noise');
      expect(stdout).toContain('  privacy audit ');
    }
  });
});

describe('bin/skein.js', () => {
  const old = ['/usr/bin/node', '/usr/local/bin/node'].find(
    (path) =>
      existsSync(path) &&
      /^v(1\d|20|21)\./.test(spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout),
  );

  it('runs on a recent Node', async () => {
    const { code, stdout } = await runCli(['version', '--json'], {
      cwd,
      program: [process.execPath, BIN],
    });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ node: process.versions.node });
  });

  it('finds its first source without types from the second start on', async () => {
    const program = [process.execPath, BIN] as const;
    const env = { TMPDIR: cwd, NODE_COMPILE_CACHE: '', NODE_DEBUG_NATIVE: 'COMPILE_CACHE' };
    const found =
      /retrieving transpile cache for StrippedTypeScript \S+\/src\/main\.ts\.\.\.success/;
    const [first, second] = [
      await runCli(['version'], { cwd, env, program: [...program] }),
      await runCli(['version'], { cwd, env, program: [...program] }),
    ];
    expect(first.stderr).not.toMatch(found);
    expect(second.stderr).toMatch(found);
  });

  it.skipIf(old === undefined)(
    'hands over to the private Node where its own is too old',
    async () => {
      const program = [old ?? '', BIN] as const;
      const { code, stdout } = await runCli(['version', '--json'], { cwd, program: [...program] });
      expect(code).toBe(0);
      expect(Number((JSON.parse(stdout) as { node: string }).node.split('.')[0])).toBeGreaterThan(
        21,
      );
      expect((await runCli(['nope'], { cwd, program: [...program] })).code).toBe(2);
    },
  );

  it.skipIf(old === undefined)('forwards signals and the exit code', async () => {
    const up = startCli(
      ['up', '--port', '0', '--grpc-port', '0', '--log', 'off', '--data', 'forwarded'],
      { cwd, program: [old ?? '', BIN] },
    );
    await up.saw(/Skein is ready/);
    up.process.kill('SIGTERM');
    expect((await up.ended).code).toBe(0);
  });
});

describe('skein up', () => {
  const ports = ['--port', '0', '--grpc-port', '0', '--log', 'off'];

  it('prints its address, serves, drains at the first Ctrl-C and exits 0', async () => {
    const up = startCli(['up', ...ports, '--data', 'one'], { cwd });
    await up.saw(/Ctrl-C drains/);
    const url = /API +(http:[^\s,]+)/.exec(up.output.stdout)?.[1] ?? '';
    for (const path of ['/v2/health/live', '/docs', '/metrics', '/']) {
      expect([path, (await fetch(url + path)).status]).toEqual([path, 200]);
    }
    expect(up.output.stdout.split('\n').length).toBeLessThan(24);
    up.process.kill('SIGINT');
    // A terminal under npm delivers two; of one kind they would be merged before they arrive here.
    up.process.kill('SIGTERM');
    const { code, stderr } = await up.ended;
    expect([code, stderr]).toEqual([0, expect.stringMatching(/^Draining/)]);
  });

  it('takes another port when the default is taken, and refuses when asked for one that is', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => {
      taken.listen(0, '127.0.0.1', resolve);
    });
    const { port } = taken.address() as AddressInfo;
    const { code, stderr } = await run(
      'up',
      '--port',
      String(port),
      '--log',
      'off',
      '--data',
      'two',
    );
    taken.close();
    expect(code).toBe(1);
    expect(stderr).toContain(`(PORT_IN_USE)`);
    expect(stderr).toContain(String(port));
  });

  it('names the process that has the data folder, and other commands find the node by it', async () => {
    const up = startCli(['up', ...ports, '--data', 'three', '--json'], { cwd });
    await up.saw(/^\}$/m);
    const { url } = JSON.parse(up.output.stdout) as { url: string };
    const second = await run('up', ...ports, '--data', 'three');
    expect(second.code).toBe(1);
    expect(second.stderr).toContain('(DATA_FOLDER_LOCKED)');
    expect(second.stderr).toContain(url);
    const ls = await run('ls', '--data', 'three');
    expect([ls.code, ls.stdout]).toEqual([0, expect.stringMatching(/^Nothing is deployed/)]);
    up.process.kill('SIGTERM');
    expect((await up.ended).code).toBe(0);
    expect((await run('ls', '--data', 'three', '--server', url)).code).toBe(1);
  });

  it('makes no key without a node that a node would not make, or that is over already', async () => {
    for (const [option, value, message] of [
      ['--tenant', '../x', 'The field "tenant" of the key is invalid'],
      ['--expires', '0d', '"0d" is not in the future'],
      ['--expires', '99999999999d', '"99999999999d" is too far away'],
    ] as const) {
      const { code, stderr } = await run('keys', 'create', option, value, '--data', 'keys');
      expect([code === 0, stderr]).toEqual([false, expect.stringContaining(message)]);
    }
    expect((await run('keys', 'ls', '--data', 'keys')).stdout).toContain('There are no keys');
  });

  it('requires a key, which can be made without a node, before it listens on other addresses', async () => {
    const refused = await run('up', ...ports, '--host', '0.0.0.0', '--data', 'four');
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('(KEYS_REQUIRED)')]);

    const created = await run(
      'keys',
      'create',
      '--scope',
      'admin,read',
      '--expires',
      '1d',
      '--data',
      'four',
      '--json',
    );
    const { secret, id, scopes } = JSON.parse(created.stdout) as Record<string, string>;
    expect(scopes).toEqual(['admin', 'read']);

    const up = startCli(['up', ...ports, '--keys', 'required', '--data', 'four', '--json'], {
      cwd,
    });
    await up.saw(/^\}$/m);
    const without = await run('ls', '--data', 'four');
    expect([without.code, without.stderr]).toEqual([1, expect.stringContaining('(KEY_MISSING)')]);
    expect((await run('ls', '--data', 'four', '--key', secret ?? '')).code).toBe(0);

    const key = ['--key', secret ?? '', '--data', 'four'];
    const keys = await run('keys', 'ls', ...key);
    expect(keys.stdout).toContain(id);
    expect(keys.stdout).not.toContain(secret);
    const shown = await run('keys', 'show', id ?? '', ...key);
    expect(shown.stdout).toMatch(/^state +(valid|until \S+)$/m);
    expect(shown.stdout).toMatch(/^bodies +0 B +\S+ [KMG]iB$/m);
    expect(shown.stdout).toMatch(/^artifacts +0 B +\S+ [KMG]iB$/m);
    expect(shown.stdout).toMatch(/^queued_jobs +0 /m);
    // An operator may hold only the leaked key itself.
    expect((await run('keys', 'revoke', secret ?? '', ...key)).stdout).toBe(`${id} is revoked.\n`);
    const revoked = await run('ls', ...key);
    expect([revoked.code, revoked.stderr]).toEqual([1, expect.stringContaining('(KEY_INVALID)')]);
    up.process.kill('SIGINT');
    await up.ended;

    const offline = await run('keys', 'ls', '--data', 'four');
    expect(offline.stdout).toMatch(new RegExp(`${id} +revoked`));
    expect((await run('keys', 'revoke', 'unknown', '--data', 'four')).stderr).toContain(
      '(KEY_UNKNOWN)',
    );

    // With or without a node, the audit trail names the creator and the revoker of a key.
    const state = await openSqliteState(join(cwd, 'four/state.sqlite'));
    const trail = await state.audit(100);
    await state.close();
    const rows = trail
      .filter(({ action }) => action !== 'login')
      .map(({ actor, action, subject, outcome }) => [action, subject, outcome, actor].join(' '));
    expect(rows.toReversed()).toEqual([
      `createKey ${id} ok local`,
      `revokeKey ${id} ok ${id}`,
      'revokeKey unknown KEY_UNKNOWN local',
    ]);
  });
});

it('130: Ctrl-C ends a command that is waiting', async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => {
    silent.listen(0, '127.0.0.1', resolve);
  });
  const asked = new Promise((resolve) => {
    silent.once('connection', resolve);
  });
  const { port } = silent.address() as AddressInfo;
  const ls = startCli(['ls', '--server', `http://127.0.0.1:${port}`], { cwd });
  await asked;
  ls.process.kill('SIGINT');
  const { code, stdout, stderr } = await ls.ended;
  silent.close();
  expect([code, stdout, stderr]).toEqual([130, '', '']);
});
