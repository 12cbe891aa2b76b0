/** Schedules from the command line, on a real node. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ScheduleView } from '@skein/api';
import { startNodeProcess, type NodeProcess } from '../../../../server/src/testing/node-process.ts';

let node: NodeProcess;
beforeAll(async () => {
  node = await startNodeProcess({ jobs: true });
  writeFileSync(join(node.folder, 'data.csv'), 'b\na\n');
});
afterAll(() => node.stop());

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('skein queue schedule', () => {
  const list = async () =>
    (await node.json<{ schedules: ScheduleView[] }>('queue', 'schedule', 'ls')).schedules;

  it('puts a command, with the options of run and its files', async () => {
    expect((await node.run('queue', 'schedule', 'ls')).stdout).toContain('There are no schedules');
    const put = await node.run(
      ...'queue schedule put nightly --time-zone Europe/Berlin --queue reports'.split(' '),
      '--cron=0 3 * * 1-5',
      ...'--name report -- cat data.csv'.split(' '),
    );
    expect(put).toMatchObject({ code: 0, stderr: '' });
    expect(put.stdout).toMatch(/^nightly enqueues report next at \d{4}-/);
    const [schedule] = await list();
    expect(schedule).toMatchObject({
      id: 'nightly',
      cron: '0 3 * * 1-5',
      timeZone: 'Europe/Berlin',
      queue: 'reports',
      name: 'report',
      paused: false,
    });
    const hour = new Intl.DateTimeFormat('en', {
      timeZone: 'Europe/Berlin',
      hour: 'numeric',
      hourCycle: 'h23',
    });
    expect(hour.format(Date.parse(schedule?.nextAt ?? ''))).toBe('03');
    // The file went along.
    const stored = await node.run('artifacts', 'get', digestOf('b\na\n'), '--out', 'stored.csv');
    expect(stored.code).toBe(0);
  });

  it('puts any job as JSON in its place, and removes it', async () => {
    const job = { name: 'from a file', work: { kind: 'command', argv: ['date'] } };
    writeFileSync(join(node.folder, 'job.json'), JSON.stringify(job));
    const put = await node.run(
      ...'queue schedule put nightly --paused --job @job.json'.split(' '),
      '--cron=*/5 * * * *',
    );
    expect(put.stdout).toContain('once it is not paused');
    expect(await list()).toMatchObject([
      { id: 'nightly', cron: '*/5 * * * *', timeZone: 'UTC', name: 'from a file', paused: true },
    ]);
    expect((await node.run('queue', 'schedule', 'ls')).stdout).toMatch(/nightly.*paused/);
    expect((await node.run('queue', 'schedule', 'rm', 'nightly')).stdout).toContain('is removed');
    expect(await list()).toEqual([]);
    const gone = await node.run('queue', 'schedule', 'rm', 'nightly');
    expect(gone.stderr).toContain('SCHEDULE_UNKNOWN');
  });

  it.each([
    [['--', 'date'], 2, '--cron CRON is missing'],
    [['--cron=0 3 * * *'], 2, 'either a command or --job'],
    [['--cron=0 3 * * *', '--job={}', '--', 'date'], 2, 'either a command or --job'],
    [['--cron=0 3 * * *', '--job={'], 2, '--job is not JSON'],
    [['--cron=0 3 * * *', '--job={}'], 1, 'work'],
    [['--cron=61 3 * * *', '--', 'date'], 1, 'is not valid: Invalid value for minute: 61'],
    [['--cron=0 3 * * *', '--time-zone=Mars/Olympus', '--', 'date'], 1, '"Mars/Olympus" is not'],
  ] as const)('explains what is wrong with %j', async (words, code, message) => {
    const put = await node.run('queue', 'schedule', 'put', 'wrong', ...words);
    expect([put.code, put.stderr]).toEqual([code, expect.stringContaining(message)]);
  });
});
