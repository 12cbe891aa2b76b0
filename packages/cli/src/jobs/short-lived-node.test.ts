/** Commands that run jobs at the same time in one folder on which no node runs. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { runCli, startCli, type CliProcess } from '../testing/cli.ts';

const TRUSTED = ['--trusted', '--sandbox', 'process', '--network', 'host'];

/** A job that says that it has begun, and ends when the file `name` is in the folder. */
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
