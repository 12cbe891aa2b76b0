/** `skein jobs`, `skein queue` and `skein artifacts` on a real node: jobs that were left to it, and what they leave. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobView } from '@skein/api';
import { createClient } from '@skein/api/client';
import type { RunOutcome } from './run.ts';
import { startNodeProcess, type NodeProcess } from '../../../../server/src/testing/node-process.ts';
import { startCli } from '../../testing/cli.ts';
import { TRUSTED } from '../../testing/trusted.ts';

let node: NodeProcess;
beforeAll(async () => {
  node = await startNodeProcess({ jobs: true });
  writeFileSync(join(node.folder, 'data.csv'), 'b\na\n');
});
afterAll(() => node.stop());

const client = () => createClient({ url: node.url });

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
    expect(shown.stdout).toMatch(/asks for\s+1 core, 512 MiB/);
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

it('skein queue tenants lists what skein queue tenant has set', async () => {
  const set = 'queue tenant students --weight 2 --max-running 50 --rate 0.5'.split(' ');
  expect((await node.run(...set)).code).toBe(0);
  const { stdout } = await node.run('queue', 'tenants');
  expect(stdout).toMatch(/TENANT .*\n[^]*students +2 +50 +any +0\.5\n/);
});

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
