/** Commands that run jobs at the same time in one folder on which no node runs. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { runCli, startCli, type CliProcess } from '../testing/cli.ts';
import { TRUSTED } from '../testing/trusted.ts';

/** A job that reports its begin, and ends when the file `name` is in the folder. */
function begin(cwd: string, name: string, ...options: string[]): CliProcess {
  const waits = `echo begun; until [ -e ${join(cwd, name)} ]; do sleep 0.02; done; echo ended > out`;
  const args = ['run', ...TRUSTED, ...options, '--output', 'out', '--', 'sh', '-c', waits];
  return startCli(args, { cwd });
}
const end = (cwd: string, name: string) => writeFileSync(join(cwd, name), '');
const succeeded = { code: 0, stdout: expect.stringMatching(/succeeded[^]*wrote .*out/) as string };

it('share the node of the first, which ends when the last of them has ended', async () => {
  const cwd = testFolder();
  const first = begin(cwd, 'first');
  await first.saw(/begun/);
  const second = begin(cwd, 'second');
  await second.saw(/begun/);
  end(cwd, 'first');
  await first.saw(/waiting for it/);
  const third = await runCli(['jobs', 'ls', '--json'], { cwd });
  expect(third.code).toBe(0);
  end(cwd, 'second');
  expect(await second.ended).toMatchObject(succeeded);
  expect(await first.ended).toMatchObject(succeeded);
  expect(existsSync(join(cwd, '.skein/node.json'))).toBe(false);
  expect(readdirSync(join(cwd, '.skein/short-lived'))).toEqual([]);
});

it('start at the same moment, and one of them starts the node', async () => {
  const cwd = testFolder();
  end(cwd, 'go');
  const all = [begin(cwd, 'go'), begin(cwd, 'go'), begin(cwd, 'go')];
  for (const outcome of await Promise.all(all.map(({ ended }) => ended))) {
    expect(outcome).toMatchObject(succeeded);
  }
});

it('leave a job to it that may have to wait for the next node, and report it', async () => {
  const cwd = testFolder();
  const first = begin(cwd, 'first');
  await first.saw(/begun/);
  // It runs another queue, which is no reason to wait: the job is kept.
  const left = await runCli(['run', ...TRUSTED, '--detach', '--queue', 'nightly', '--', 'true'], {
    cwd,
  });
  expect(left).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('waits for the next node on this folder, such as skein up'),
  });
  end(cwd, 'first');
  expect(await first.ended).toMatchObject(succeeded);
  const [id] = left.stdout.split('\n');
  const { stdout } = await runCli(['jobs', 'show', id!, '--json'], { cwd });
  expect(JSON.parse(stdout)).toMatchObject({ state: 'ready', queue: 'nightly' });
  // Following it runs it, on its queue.
  expect(await runCli(['jobs', 'logs', '-f', id!], { cwd })).toMatchObject({ code: 0 });
});

it('name the job that is kept when the command with the node is killed', async () => {
  const cwd = testFolder();
  const owner = begin(cwd, 'owner');
  await owner.saw(/begun/);
  const other = begin(cwd, 'other');
  await other.saw(/begun/);
  owner.process.kill('SIGKILL');
  const { code, stderr } = await other.ended;
  expect(code).toBe(1);
  const [, id] = /It has accepted the job ([\w-]+), which continues when/.exec(stderr) ?? [];
  for (const name of ['owner', 'other']) end(cwd, name);
  const { stdout } = await runCli(['jobs', 'ls', '--json'], { cwd });
  const { jobs } = JSON.parse(stdout) as { jobs: { id: string; state: string }[] };
  expect(jobs.find((job) => job.id === id)).toMatchObject({ state: 'running' });
  // The node of that command has removed the notes of the killed one, and its own.
  expect(readdirSync(join(cwd, '.skein/short-lived'))).toEqual([]);
});

it('wait for a node that runs other queues, and for no process that was killed', async () => {
  const cwd = testFolder();
  const first = begin(cwd, 'first');
  await first.saw(/begun/);
  const killed = begin(cwd, 'never');
  await killed.saw(/begun/);
  const other = begin(cwd, 'go', '--queue', 'nightly');
  end(cwd, 'go');
  killed.process.kill('SIGKILL');
  await killed.ended;
  end(cwd, 'first');
  end(cwd, 'never');
  expect(await first.ended).toMatchObject(succeeded);
  expect(await other.ended).toMatchObject(succeeded);
});
