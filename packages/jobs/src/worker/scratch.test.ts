import { spawnSync } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { freePort } from './free-port.ts';
import { openScratch } from './scratch.ts';

it('removes the folders of dead workers, and no other folders', async () => {
  const parent = testFolder();
  const { pid: gone } = spawnSync('true');
  for (const name of [`skein-worker-${gone}-abc`, 'skein-worker-x', 'unrelated']) {
    await mkdir(join(parent, name));
    await writeFile(join(parent, name, 'file'), '');
  }
  const first = await openScratch(parent);
  const second = await openScratch(parent);
  expect((await readdir(parent)).toSorted()).toEqual(
    [basename(first), basename(second), 'skein-worker-x', 'unrelated'].toSorted(),
  );
});

it.each(['127.0.0.1', 'worker.elsewhere.invalid'])('finds a port to offer as %s', async (host) => {
  expect(await freePort(host)).toBeGreaterThan(0);
});
