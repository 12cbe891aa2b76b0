import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { startCli, type CliProcess } from '../testing/cli.ts';

const BIN = join(import.meta.dirname, '../../bin');

/** A node behind a launcher, as an older Node starts it. */
async function nodeBehindLauncher(cwd: string): Promise<CliProcess> {
  const script = `
    const { handOver } = await import(${JSON.stringify(join(BIN, 'launch.js'))});
    handOver(process.execPath, ${JSON.stringify(join(BIN, 'skein.js'))});`;
  const up = startCli(['up', '--port', '0', '--queues', 'none'], {
    cwd,
    program: [process.execPath, '--input-type=module', '-e', script, '--', 'skein'],
  });
  await up.saw(/127\.0\.0\.1:\d+/);
  return up;
}

it('passes signals on to the node that it has started', async () => {
  const cwd = testFolder();
  const up = await nodeBehindLauncher(cwd);
  up.process.kill('SIGTERM');
  expect(await up.ended).toMatchObject({ code: 0 });
  expect(existsSync(join(cwd, '.skein/node.json'))).toBe(false);
});

it('does not leave its node behind when it is killed', async () => {
  const cwd = testFolder();
  const up = await nodeBehindLauncher(cwd);
  up.process.kill('SIGKILL');
  // Its output is closed when the node has ended too.
  await up.ended;
  expect(existsSync(join(cwd, '.skein/node.json'))).toBe(false);
});
