/** `skein worker` in a process of its own, over a real Redis, with jobs from another process. */
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { SANDBOX_NAMES } from '@skein/api/implementations';
import { openRedisJobs } from '@skein/jobs/redis';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { startRedis, type TestRedis } from '../../../../jobs/src/store/testing/redis-server.ts';
import { command, jobSpec } from '../../../../jobs/src/worker/testing/worker-fixture.ts';
import { startCli } from '../../testing/cli.ts';
import type { WorkerResult } from './worker.ts';

const component = requireComponent('redis');

let cwd: string;
beforeEach(() => {
  cwd = testFolder();
});

async function refused(...args: string[]): Promise<string> {
  const { code, stderr } = await startCli(['worker', ...args], { cwd }).ended;
  expect(code).toBe(2);
  return stderr;
}

describe('skein worker', () => {
  it('names the options that it needs', async () => {
    const places = ['--redis', 'redis://x', '--blobs', 'b'];
    const cases = [
      [[], '--redis URL, or SKEIN_REDIS'],
      [['--redis', 'redis://x'], '--blobs PLACE, or SKEIN_BLOBS'],
      [[...places, '--queues', 'a,B'], '"B" is not the name of a queue'],
      [[...places, '--label', 'no spaces'], 'is not a label'],
      [['--redis', 'redis://x', '--blobs', 's3://b?endpoint=h'], 'http'],
    ] as const;
    await Promise.all(
      cases.map(async ([args, text]) => expect(await refused(...args)).toContain(text)),
    );
  });

  it.skipIf(component.skip)('runs jobs of a fleet until it is stopped', async () => {
    const redis: TestRedis = await startRedis();
    onTestFinished(() => redis.destroy());
    const store = await openRedisJobs(redis.url, { namespace: 'fleet' });
    const cli = startCli(
      [
        'worker',
        '--blobs',
        'blobs',
        '--queues',
        'a,b',
        '--cores',
        '1.5',
        '--memory',
        '1GiB',
      ].concat(['--label', 'site=berlin', '--name', 'w1', '--log', 'json', '--json']),
      { cwd, env: { SKEIN_REDIS: redis.url } },
    );
    onTestFinished(() => void cli.process.kill('SIGKILL'));
    await cli.saw(/^\}$/m);
    const shown = JSON.parse(cli.output.stdout) as WorkerResult;
    expect(shown).toMatchObject({
      worker: 'w1',
      queues: ['a', 'b'],
      cores: 1.5,
      memoryBytes: 2 ** 30,
      trusts: true,
    });
    expect(shown.labels).toEqual(expect.arrayContaining(['sandbox:process', 'site:berlin']));
    expect(shown.sandboxes.map(({ name }) => name)).toEqual(SANDBOX_NAMES);

    const [job] = await store.enqueue([
      jobSpec(command(['echo', 'hello'], { trusted: true, network: 'host' }), {
        queue: 'b',
        requires: ['site:berlin'],
      }),
    ]);
    const stateOf = async () => (await store.job(job!.id))?.state;
    await expect.poll(stateOf, { timeout: 15_000 }).toBe('succeeded');
    expect((await store.workers()).map(({ worker }) => worker)).toEqual(['w1']);

    cli.process.kill('SIGTERM');
    const { code, stderr } = await cli.ended;
    expect(code).toBe(0);
    const messages = stderr.split('\n').filter((line) => line.startsWith('{'));
    expect(messages.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual([
      'Worker is open.',
      'Attempt started.',
      'Attempt ended.',
      'Worker is draining.',
      'Worker has stopped.',
    ]);
    expect(await store.workers()).toEqual([]);
    await store.close();
  });

  it.skipIf(component.skip)('waits for a Redis that is away when it starts', async () => {
    const redis = await startRedis();
    onTestFinished(() => redis.destroy());
    await redis.kill();
    const start = () => {
      const cli = startCli(
        ['worker', '--redis', redis.url, '--blobs', 'blobs', '--log', 'json', '--json'],
        { cwd },
      );
      onTestFinished(() => void cli.process.kill('SIGKILL'));
      return cli;
    };
    const [one, other] = [start(), start()];
    const waits =
      /"reason":"Redis at 127\.0\.0\.1:\d+ cannot be used: connect ECONNREFUSED.*waits for it/;
    await Promise.all([one.saw(waits), other.saw(waits)]);
    one.process.kill('SIGTERM');
    expect(await one.ended).toMatchObject({ code: 0, stdout: '' });

    await redis.start();
    await other.saw(/Worker is open/);
    const store = await openRedisJobs(redis.url, { namespace: 'fleet' });
    onTestFinished(() => store.close());
    const [job] = await store.enqueue([
      jobSpec(command(['true'], { trusted: true, network: 'host' })),
    ]);
    const stateOf = async () => (await store.job(job!.id))?.state;
    await expect.poll(stateOf, { timeout: 15_000 }).toBe('succeeded');
    other.process.kill('SIGTERM');
    expect(await other.ended).toMatchObject({ code: 0 });
  });
});
