import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { makeRunFolder } from './run-folder.ts';

const folderOf = async (): Promise<string> => {
  const folder = await makeRunFolder();
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

it('removes the folders of dead processes, and of no other', async () => {
  const own = await folderOf();
  const dead = `${dirname(own)}/1-1-dead`;
  mkdirSync(`${dead}/etc`, { recursive: true });
  await folderOf();
  expect(existsSync(dead)).toBe(false);
  expect(existsSync(own)).toBe(true);
});

it.runIf(process.getuid?.() === 0)(
  'starts next to a leftover that cannot be removed yet',
  async () => {
    const busy = `${dirname(await folderOf())}/1-1-busy`;
    mkdirSync(`${busy}/mounted`, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', `${busy}/mounted`]);
    onTestFinished(() => {
      execFileSync('umount', [`${busy}/mounted`]);
      rmSync(busy, { recursive: true, force: true });
    });
    expect(existsSync(await folderOf())).toBe(true);
  },
);
