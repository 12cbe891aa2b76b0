/** Jobs from the command line, on a real node: in a folder of files, as a user runs them. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobView } from '@skein/api';
import { createClient } from '@skein/api/client';
import type { RunOutcome } from './run.ts';
import { startNodeProcess, type NodeProcess } from '../../../../server/src/testing/node-process.ts';
import { runCli, startCli } from '../../testing/cli.ts';

/** Trusted, so that the tests do not depend on what sandboxes this machine has. */
const TRUSTED = ['--trusted', '--sandbox', 'process', '--network', 'host'];

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

describe('skein jobs', () => {
  it('lists, shows and follows a job that was left to the node', async () => {
    // Only the id is on stdout, as scripts take it.
    const left = await node.run('run', '--detach', ...TRUSTED, 'echo', 'from afar');
    const id = left.stdout.trim();
    expect(left.stderr).toContain(`skein jobs logs -f ${id}`);
    const followed = await node.run('jobs', 'logs', '-f', id);
    expect(followed).toMatchObject({ code: 0, stderr: '' });
    expect(followed.stdout).toContain('from afar');
    expect((await node.run('jobs', 'ls', '--state', 'succeeded')).stdout).toContain(id);
    const shown = await node.run('jobs', 'show', id);
    expect(shown.stdout).toMatch(/attempt 1\s+succeeded/);
    expect(shown.stdout).toContain('echo from afar');
    const again = await node.run('jobs', 'retry', id);
    expect(again.stdout.trim()).toMatch(/^[\da-f-]{36}$/);
    expect(again.stdout).not.toContain(id);
    expect(again.stderr).toContain(`skein jobs logs -f ${again.stdout.trim()}`);
    const { jobs } = await node.json<{ jobs: JobView[] }>('jobs', 'cancel', id, '--reason=late');
    expect(jobs.map((job) => job.id)).toEqual([id]);
    expect((await node.run('jobs', 'cancel')).stderr).toContain('ID… is missing');
    expect((await node.run('jobs', 'show', 'nobody')).stderr).toContain('JOB_UNKNOWN');
    expect((await node.run('jobs', 'revive', id)).stderr).toContain('JOB_NOT_ENDED');
  });

  it('waits in a paused queue until it is opened, or cancelled', async () => {
    await node.run('queue', 'pause', 'nightly');
    const left = await node.run('run', '--detach', '--json', '--queue=nightly', ...TRUSTED, 'true');
    const { job } = JSON.parse(left.stdout) as RunOutcome;
    expect((await node.run('queue', 'ls')).stdout).toMatch(/nightly\s+paused/);
    const cancelled = await node.run('jobs', 'cancel', job.id);
    expect(cancelled.stdout).toContain('cancelled');
    expect((await node.run('queue', 'open', 'nightly')).stdout).toContain('nightly is open');
    expect((await node.run('queue', 'drain', 'nightly')).code).toBe(0);
    const refused = await node.run('run', '--detach', '--queue', 'nightly', '--', 'true');
    expect(refused.stderr).toContain('QUEUE_DRAINING');
    expect((await node.run('queue', 'tenant', 'students', '--weight', '2')).stdout).toContain(
      'weight 2',
    );
  });
});

describe('skein jobs retry', () => {
  async function enqueued(job: object): Promise<string> {
    const { jobs } = await client().enqueueJobs({
      // A label that no worker has: it waits.
      jobs: [{ work: { kind: 'command', argv: ['true'] }, requires: ['nowhere'], ...job }],
    });
    return jobs[0]?.id ?? '';
  }

  it('asks for the same again: group, cache, retention, and as much time', async () => {
    const id = await enqueued({
      name: 'again',
      priority: 3,
      group: 'g1',
      cache: true,
      retentionMs: 12_345_000,
      finishWithinMs: 600_000,
    });
    await node.run('jobs', 'cancel', id);
    const first = await node.json<JobView>('jobs', 'show', id);
    const again = await node.json<JobView>('jobs', 'retry', id);
    expect(again).toMatchObject({
      state: 'ready',
      name: 'again',
      priority: 3,
      group: 'g1',
      cache: true,
      retentionMs: 12_345_000,
      requires: ['nowhere'],
      work: first.work,
    });
    const timeOf = ({ deadline = '', enqueuedAt }: JobView) =>
      Date.parse(deadline) - Date.parse(enqueuedAt);
    // Equal to the first one, but for the moment between two readings of the clock.
    expect(timeOf(first)).toBeCloseTo(600_000, -3);
    expect(timeOf(again)).toBeCloseTo(600_000, -3);
  });

  it('does what has succeeded once more, instead of finding that it has', async () => {
    const command = ['sh', '-c', 'echo once more'];
    const ran = await node.run('run', '--cache', '--json', ...TRUSTED, '--', ...command);
    const { job } = JSON.parse(ran.stdout) as RunOutcome;
    expect(job).toMatchObject({ state: 'succeeded', cache: true });
    const again = await node.json<JobView>('jobs', 'retry', job.id);
    expect(again).toMatchObject({ cache: false });
    const { stdout } = await node.run('jobs', 'logs', '-f', again.id);
    expect(stdout).toContain('once more');
  });

  it('refuses a member of a gang, which would wait for ever', async () => {
    const members = [0, 1].map((rank) => ({ gang: { id: 'band', size: 2, rank } }));
    const { jobs } = await client().enqueueJobs({
      jobs: members.map((member) => ({
        ...member,
        work: { kind: 'command', argv: ['true'], trusted: true, network: 'host' },
        requires: ['nowhere'],
      })),
    });
    const refused = await node.run('jobs', 'retry', jobs[1]?.id ?? '');
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain('one of the 2 members of the gang band');
    expect(refused.stderr).toContain('JOB_IN_GANG');
  });
});

it('skein queue tenants lists what skein queue tenant has set', async () => {
  const set = 'queue tenant students --weight 2 --max-running 50 --rate 0.5'.split(' ');
  expect((await node.run(...set)).code).toBe(0);
  const { stdout } = await node.run('queue', 'tenants');
  expect(stdout).toMatch(/TENANT .*\n[^]*students +2 +50 +any +0\.5\n/);
});

describe('skein jobs rm', () => {
  const sleeper = [
    'run',
    '--detach',
    '--json',
    ...TRUSTED,
    '--queue',
    'quiet',
    '--',
    'sleep',
    '60',
  ];
  const show = (id: string) => node.run('jobs', 'show', id);

  it('removes what has ended, and nothing else', async () => {
    const ran = await node.run('run', '--json', ...TRUSTED, '--', 'echo', 'gone');
    const { job } = JSON.parse(ran.stdout) as RunOutcome;
    expect((await node.run('jobs', 'rm', job.id)).stdout).toBe('1 job is removed.\n');
    expect((await show(job.id)).stderr).toContain('JOB_UNKNOWN');

    const { id } = (JSON.parse((await node.run(...sleeper)).stdout) as RunOutcome).job;
    expect((await node.run('jobs', 'rm', id)).stderr).toContain('JOB_NOT_ENDED');
    await node.run('jobs', 'cancel', id);
    const quiet = ['jobs', 'rm', '--queue', 'quiet', '--older-than'];
    expect(await node.json(...quiet, '1h')).toEqual({ removed: [] });
    expect(await node.json(...quiet, '0s')).toEqual({ removed: [id] });
    expect((await node.run('jobs', 'rm')).code).toBe(2);
    const unclear = await node.run('jobs', 'rm', id, '--queue', 'quiet');
    expect([unclear.code, unclear.stderr]).toEqual([2, expect.stringContaining('--older-than')]);
  });

  it('keeps the steps of a run until the run has ended', async () => {
    const work = {
      kind: 'command' as const,
      argv: ['true'],
      trusted: true,
      network: 'host' as const,
    };
    const requires = ['nowhere'];
    const { jobs } = await client().enqueueJobs({ jobs: [{ work, requires }] });
    const run = jobs[0]!.id;
    const steps = await client().enqueueJobs({ jobs: [{ work, requires, group: run }] });
    const step = steps.jobs[0]!.id;
    await client().cancelJob({ id: step });
    await expect(client().removeJob({ id: step })).rejects.toMatchObject({
      code: 'JOB_NOT_ENDED',
      message: `The run of job ${step} is ready.`,
    });
    await client().cancelJob({ id: run });
    await client().removeJob({ id: step });
  });
});

it('skein jobs preempt makes a command save a checkpoint, and resumes from it', async () => {
  const script = `if [ -e state ]; then cat state; exit; fi
    trap 'echo kept > state; exit 1' TERM; echo begun; while :; do sleep 0.1; done`;
  const words = ['run', '--detach', '--checkpoint=state', '--json', ...TRUSTED, 'sh', '-c', script];
  const { job } = JSON.parse((await node.run(...words)).stdout) as RunOutcome;
  const following = startCli(['jobs', 'logs', '-f', job.id], { cwd: node.folder });
  await following.saw(/begun/);
  expect((await node.run('jobs', 'preempt', job.id)).stdout).toContain('asked to save');
  const { code, stdout } = await following.ended;
  expect([code, stdout]).toEqual([0, expect.stringContaining('kept')]);
  const { attempts } = await node.json<JobView>('jobs', 'show', job.id);
  expect(attempts.map(({ outcome }) => outcome)).toEqual(['preempted', 'succeeded']);
}, 60_000);

describe('skein artifacts', () => {
  it('stores a file by its content and brings it back', async () => {
    const { stdout } = await node.run('artifacts', 'put', '--json', 'data.csv');
    const { digest } = JSON.parse(stdout) as { digest: string };
    const got = await node.run('artifacts', 'get', digest, '--out', 'copy.csv');
    expect(got.code).toBe(0);
    expect(readFileSync(join(node.folder, 'copy.csv'), 'utf8')).toBe('b\na\n');
    const none = await node.run('artifacts', 'get', '0'.repeat(64));
    expect(none.stderr).toContain('ARTIFACT_UNKNOWN');
  });

  it('restores the output of a job that was left, with the command of `skein jobs show`', async () => {
    const left = ['run', '--detach', '--output=out.csv', ...TRUSTED, 'cp', 'data.csv', 'out.csv'];
    const id = (await node.run(...left)).stdout.trim();
    await node.run('jobs', 'logs', '-f', id);
    const { stdout } = await node.run('jobs', 'show', id);
    const digest = /^output +out\.csv .* (\S+)$/m.exec(stdout)![1]!;
    await node.run('artifacts', 'get', digest, '--out', 'back.csv');
    expect(readFileSync(join(node.folder, 'back.csv'), 'utf8')).toBe('b\na\n');
  });
});

describe('skein pipeline', () => {
  const module = join(import.meta.dirname, '../../../../jobs/src/pipeline/testing/word-count.ts');
  const pipeline = ['--pipeline', 'word-count'];

  it('runs, draws and shows', async () => {
    const input = ['--input', '{"text":"a b c d"}'];
    const ran = await node.run(
      'pipeline',
      'run',
      module,
      ...pipeline,
      ...input,
      '--svg',
      'run.svg',
    );
    expect(ran.stdout).toContain('returned {"total":4,"parts":2}');
    expect(ran.code).toBe(0);
    expect(readFileSync(join(node.folder, 'run.svg'), 'utf8')).toContain('2 of 2');
    const run = /run (\S+)/.exec(ran.stdout)?.[1] ?? '';
    expect((await node.run('pipeline', 'show', run)).stdout).toMatch(/count\s+2 succeeded/);
  });

  it('resumes from the step that failed', async () => {
    const cure = join(node.folder, 'cure');
    const input = JSON.stringify({ text: 'a poison b', failWithout: cure });
    const ran = await node.run('pipeline', 'run', module, ...pipeline, '--input', input);
    expect(ran.code).toBe(1);
    expect(ran.stdout).toContain('a poisoned word');
    const resume = /skein pipeline resume (\S+)/.exec(ran.stdout)?.[1] ?? '';
    writeFileSync(cure, '');
    const again = await node.run('pipeline', 'resume', resume);
    expect(again.stdout).toContain('returned {"total":3,"parts":3}');
    expect(again.code).toBe(0);
  });

  it('explains what is wrong with a module or an input', async () => {
    expect((await node.run('pipeline', 'run', module)).stderr).toContain('several pipelines');
    const drawn = ['--input', '{"text":"a"}', '--svg', 'no/folder.svg'];
    const unwritable = await node.run('pipeline', 'run', module, ...pipeline, ...drawn);
    expect(unwritable).toMatchObject({ code: 1, stdout: '' });
    expect(unwritable.stderr).toContain('"no/folder.svg" cannot be written: there is no such');
    const wrong = await node.run('pipeline', 'run', module, ...pipeline, '--input', '{"text":1}');
    expect(wrong).toMatchObject({ code: 2 });
    expect(wrong.stderr).toContain('--input: text');
    writeFileSync(join(node.folder, 'empty.ts'), 'export const nothing = 1;');
    expect((await node.run('pipeline', 'graph', 'empty.ts')).stderr).toContain('definePipeline');
  });
});
