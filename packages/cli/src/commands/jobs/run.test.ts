/** `skein run` on a real node: in a folder of files, as a user runs it. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobView } from '@skein/api';
import { createClient } from '@skein/api/client';
import type { RunOutcome } from './run.ts';
import { startNodeProcess, type NodeProcess } from '../../../../server/src/testing/node-process.ts';
import { runCli, startCli } from '../../testing/cli.ts';
import { TRUSTED } from '../../testing/trusted.ts';

let node: NodeProcess;
beforeAll(async () => {
  node = await startNodeProcess({ jobs: true });
  writeFileSync(join(node.folder, 'data.csv'), 'b\na\n');
});
afterAll(() => node.stop());

const client = () => createClient({ url: node.url });

describe('skein run', () => {
  it('uploads the files that the command names, and downloads the requested outputs', async () => {
    const { code, stdout, stderr } = await node.run(
      'run',
      ...TRUSTED,
      '--output=sorted.csv',
      '--name=sort it',
      '--',
      'sh',
      '-c',
      'echo sorting >&2; sort data.csv > sorted.csv; ls',
      'sh',
      'data.csv',
    );
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toContain('sorting');
    expect(stdout).toContain('sort it succeeded');
    expect(readFileSync(join(node.folder, 'sorted.csv'), 'utf8')).toBe('a\nb\n');
  });

  it('fails at once when a declared output is not written', async () => {
    const ran = await node.run('run', ...TRUSTED, '--output=nothing.csv', '--json', 'true');
    const { job } = JSON.parse(ran.stdout) as RunOutcome;
    expect(job).toMatchObject({ state: 'failed' });
    expect(job.message).toContain('nothing.csv');
  });

  it.skipIf(!existsSync('/usr/bin/python3'))(
    'takes the packages of a Python environment along, and names the option without it',
    async () => {
      const version = execFileSync('/usr/bin/python3', [
        '-c',
        'import sys; print("python%d.%d" % sys.version_info[:2])',
      ]);
      const packages = join(node.folder, `env/lib/${version.toString().trim()}/site-packages`);
      mkdirSync(packages, { recursive: true });
      mkdirSync(join(node.folder, 'env/bin'));
      writeFileSync(join(packages, 'greeting.py'), 'def of(name): return f"hello {name}"\n');
      writeFileSync(join(node.folder, 'hello.py'), 'import greeting; print(greeting.of("rows"))\n');
      const script = '#!/nowhere/python\nimport greeting; print(greeting.of("script"))\n';
      writeFileSync(join(node.folder, 'env/bin/greet'), script);
      symlinkSync('/usr/bin/python3', join(node.folder, 'env/bin/python'));
      for (const [words, printed] of [
        [['python', 'hello.py'], 'hello rows'],
        [['env/bin/python', 'hello.py'], 'hello rows'],
        [['greet'], 'hello script'],
        [['sh', '-c', 'python3 hello.py', 'hello.py'], 'hello rows'],
      ] as const) {
        const ran = await node.run('run', ...TRUSTED, '--venv=env', '--', ...words);
        expect(ran.stdout).toContain(`${printed}\n✓ ${words.join(' ')} succeeded`);
      }
      writeFileSync(join(node.folder, 'env/bin/true'), script);
      const env = { VIRTUAL_ENV: join(node.folder, 'env') };
      const active = { cwd: node.folder, env };
      const unset = await runCli(['run', ...TRUSTED, '--', 'true'], active);
      expect(unset.stderr).toContain('--venv env takes them along.');
      const none = await node.run('run', ...TRUSTED, '--venv=taken', '--', 'python', 'hello.py');
      expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('site-packages') });
    },
  );

  it('takes the files of a folder along, also those that links lead to, and starts one of them', async () => {
    const folder = join(node.folder, 'taken');
    mkdirSync(folder);
    writeFileSync(join(folder, '..program'), '#!/bin/sh\ncat taken/link\n');
    symlinkSync('../data.csv', join(folder, 'link'));
    symlinkSync('..', join(folder, 'up'));
    symlinkSync('/etc/hostname', join(folder, 'secret'));
    const ran = await node.run('run', ...TRUSTED, '--input=taken', '--', 'taken/..program');
    expect(ran.stdout).toMatch(/^b\na\n✓/);
    const why = 'neither a file nor a link to one below the working directory';
    expect(ran.stderr.trim().split('\n').toSorted()).toEqual([
      `Not taken along: taken/secret, ${why}`,
      `Not taken along: taken/up, ${why}`,
    ]);
    writeFileSync(join(node.folder, '..odd'), 'odd\n');
    const odd = await node.run('run', ...TRUSTED, '--input=..odd', '--', 'cat', '..odd');
    expect(odd.stdout).toMatch(/^odd\n✓/);
  });

  it('does not upload an output of the previous run', async () => {
    for (const [text, output] of [
      ['first', 'written.txt'],
      ['second', './written.txt/'],
    ]) {
      const command = ['sh', '-c', `echo ${text} > "$1"`, 'sh', 'written.txt'];
      const { code } = await node.run('run', ...TRUSTED, `--output=${output}`, '--', ...command);
      expect(code).toBe(0);
    }
    expect(readFileSync(join(node.folder, 'written.txt'), 'utf8')).toBe('second\n');
  });

  it('exits with 1 and the reason when the command fails, and does not try it again unasked', async () => {
    const { code, stdout } = await node.run('run', '--json', ...TRUSTED, 'sh', '-c', 'exit 7');
    expect(code).toBe(1);
    const { job } = JSON.parse(stdout) as RunOutcome;
    expect(job).toMatchObject({ state: 'failed', cause: 'exit-code' });
    expect(job.message).toContain('7');
    expect(job.attempts).toHaveLength(1);
  });

  it('prints the last words of a failed command once, and keeps them in the job', async () => {
    const { code, stdout } = await node.run('run', ...TRUSTED, 'sh', '-c', 'echo lost >&2; exit 3');
    expect([code, stdout.match(/lost/g)]).toEqual([1, ['lost', 'lost']]);
    expect(stdout).toMatch(/^lost\n✗ .*exited with 3\. /);
    const { stdout: listed } = await node.run('jobs', 'ls', '--state', 'failed');
    expect(listed).toContain('sh exited with 3. Its last words: lost');
  });

  it('reads options only before the command', async () => {
    const { stdout } = await node.run('run', ...TRUSTED, 'echo', '--json', '--help', '-x');
    expect(stdout).toContain('--json --help -x');
  });

  it('lets a command reach the addresses that are listed, and refuses an invalid address', async () => {
    const words = ['run', '--json', '--detach', '--require=nowhere'];
    const listed = ['--allow=pypi.org:443', '--allow=10.0.0.7:80'];
    const { job } = await node.json<RunOutcome>(...words, ...listed, '--', 'true');
    const { jobs } = await client().listJobs({ state: 'ready' });
    expect(jobs.find(({ id }) => id === job.id)?.work).toMatchObject({
      network: { allow: ['pypi.org:443', '10.0.0.7:80'] },
    });
    await client().cancelJob({ id: job.id });
    const wrong = await node.run('run', '--allow=https://pypi.org', '--', 'true');
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toContain('"https://pypi.org" is not HOST:PORT, such as pypi.org:443.');
    const both = await node.run('run', ...TRUSTED, '--allow=a:1', '--', 'true');
    expect(both.stderr).toContain('with --network host everything is reached');
  });

  it('cancels the job when it is interrupted', async () => {
    const run = startCli(['run', ...TRUSTED, '--', 'sh', '-c', 'echo begun; exec sleep 600'], {
      cwd: node.folder,
    });
    await run.saw(/begun/);
    run.process.kill('SIGINT');
    expect((await run.ended).code).toBe(130);
    const { stdout } = await node.run('jobs', 'ls', '--json', '--limit', '1');
    const [job] = (JSON.parse(stdout) as { jobs: JobView[] }).jobs;
    expect(job?.cause ?? job?.state).toBe('cancelled');
  });

  it('cancels the job when the reader of its output has left', async () => {
    const run = startCli(['run', '--name=endless', ...TRUSTED, '--', 'yes'], { cwd: node.folder });
    await run.saw(/y/);
    run.process.stdout?.destroy();
    expect((await run.ended).code).toBe(0);
    const { jobs } = await node.json<{ jobs: JobView[] }>('jobs', 'ls', '--limit', '1');
    expect(jobs[0]).toMatchObject({ name: 'endless', cause: 'cancelled' });
  });

  it('refuses inputs that are not there, and options that are wrong', async () => {
    const missing = await node.run('run', '--input', 'nothing.csv', '--', 'true');
    expect(missing).toMatchObject({ code: 1 });
    expect(missing.stderr).toContain('There is no file nothing.csv');
    expect((await node.run('run')).stderr).toContain('COMMAND… is missing');
    expect((await node.run('run', '--env', 'x', '--', 'true')).stderr).toContain('NAME=VALUE');
    expect((await node.run('run', '--input', '../x', '--', 'true')).code).toBe(2);
    const outside = await node.run('run', '--output', '/tmp/x', '--', 'true');
    expect(outside).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--output: "/tmp/x"'),
    });
  });
});

it('skein run --detach prints the id alone, also of a job that ends as it is accepted', async () => {
  const failed = (await node.run('run', '--detach', ...TRUSTED, 'false')).stdout.trim();
  await node.run('jobs', 'logs', '-f', failed);
  const after = await node.run('run', '--detach', '--after', failed, ...TRUSTED, 'true');
  expect(after).toMatchObject({ code: 1, stderr: expect.stringContaining('parent-failed') });
  expect(after.stdout).toMatch(/^[\da-f-]{36}\n$/);

  const cached = ['--cache', ...TRUSTED, 'echo', 'kept'];
  await node.run('run', ...cached);
  const again = await node.run('run', '--detach', ...cached);
  expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining('kept result') });
  expect(again.stdout).toMatch(/^[\da-f-]{36}\n$/);
});
