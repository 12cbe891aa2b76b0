import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { summaryOf, type RunStatus } from '@skein/api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import type { State } from '../contract.ts';
import { openSqliteState } from '../sqlite/sqlite-state.ts';
import { openRunFolder, readRun, readRuns, runPath } from './run-folder.ts';
import { createRuns, type Runs } from './runs.ts';
import { sampleRun } from './testing/sample-run.ts';

let data: string;
let state: State;
beforeEach(async () => {
  data = testFolder();
  state = await openSqliteState(':memory:');
});
afterEach(() => state.close());

/** A process that holds a run and has recorded it as running. */
async function trainer(id: string) {
  const script = `
    const { openRunFolder } = await import(${JSON.stringify(join(import.meta.dirname, 'run-folder.ts'))});
    const { sampleRun } = await import(${JSON.stringify(join(import.meta.dirname, 'testing/sample-run.ts'))});
    const folder = await openRunFolder(${JSON.stringify(data)}, '${id}');
    await folder.record(sampleRun('${id}'));
    console.log('recorded');
    setInterval(() => folder.id, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(createInterface(child.stdout), 'line');
  return child;
}

describe('the folder of a run', () => {
  it('holds its record and is held by one process', async () => {
    const folder = await openRunFolder(data, 'a');
    const run = sampleRun('a');
    await folder.record(run);
    expect(await readRun(folder.path)).toEqual(run);
    await expect(openRunFolder(data, 'a')).rejects.toMatchObject({
      code: 'RUN_ACTIVE',
      message: `Run a is being trained by the process ${process.pid}.`,
    });
    folder.close();
    folder.close();
    (await openRunFolder(data, 'a')).close();
  });

  it('is free after kill -9, and its run then counts as interrupted', async () => {
    const child = await trainer('a');
    await expect(openRunFolder(data, 'a')).rejects.toMatchObject({ code: 'RUN_ACTIVE' });
    expect((await readRun(runPath(data, 'a')))?.status).toBe('running');
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    expect(await readRun(runPath(data, 'a'))).toMatchObject({
      status: 'interrupted',
      reason: `Its process ${child.pid} ended without recording its outcome.`,
    });
    (await openRunFolder(data, 'a')).close();
  });

  it('is skipped if its record cannot be read', async () => {
    const folder = await openRunFolder(data, 'good');
    await folder.record(sampleRun('good'));
    folder.close();
    (await openRunFolder(data, 'empty')).close();
    (await openRunFolder(data, 'broken')).close();
    await writeFile(join(runPath(data, 'broken'), 'run.json'), '{"id":');
    expect((await readRuns(data)).map(({ id }) => id)).toEqual(['good']);
  });
});

describe('the runs of a node', () => {
  let runs: Runs;
  beforeEach(() => {
    runs = createRuns(state, data);
  });
  const listed = async (filter: { status?: RunStatus } = {}) =>
    (await runs.list({ ...filter, limit: 9 })).runs;

  it('are the reported ones and those in its data folder', async () => {
    const reported = sampleRun('reported', { startedAt: '2026-05-01T00:00:00.000Z' });
    await runs.put(reported);
    const folder = await openRunFolder(data, 'local');
    const local = sampleRun('local');
    await folder.record(local);
    expect(await listed()).toEqual([reported, local].map(summaryOf));
    expect(await runs.get('local')).toEqual(local);
    const finished = {
      ...local,
      status: 'finished',
      updatedAt: '2026-06-01T00:00:00.000Z',
    } as const;
    await folder.record(finished);
    expect(await runs.get('local')).toEqual(finished);
    expect(await listed({ status: 'finished' })).toEqual([summaryOf(finished)]);
    await expect(runs.get('none')).rejects.toMatchObject({ code: 'RUN_UNKNOWN' });
    folder.close();
  });

  it('are removed with their files, but not while a process trains them', async () => {
    const folder = await openRunFolder(data, 'a');
    await folder.record(sampleRun('a'));
    await expect(runs.remove('a')).rejects.toMatchObject({ code: 'RUN_ACTIVE' });
    folder.close();
    await runs.remove('a');
    expect(await readdir(join(data, 'runs'))).toEqual([]);
    expect(await listed()).toEqual([]);
    await expect(runs.remove('a')).rejects.toMatchObject({ code: 'RUN_UNKNOWN' });
  });

  it('count as interrupted when their process has ended', async () => {
    const child = await trainer('a');
    expect((await listed({ status: 'running' })).map(({ id }) => id)).toEqual(['a']);
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    expect(await listed({ status: 'running' })).toEqual([]);
    expect((await listed({ status: 'interrupted' })).map(({ id }) => id)).toEqual(['a']);
    await runs.put(sampleRun('elsewhere', { process: { host: 'another', pid: 1 << 30 } }));
    expect((await runs.get('elsewhere')).status).toBe('running');
  });
});
