/**
 * The folder of a worker's attempts. The folder of a killed worker is removed when the next worker
 * starts.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive } from '@skein/api/machine';

const NAME = /^skein-worker-(\d+)-/;

/** @returns the folder; the caller removes it. */
export async function openScratch(parent: string = tmpdir()): Promise<string> {
  for (const name of await readdir(parent)) {
    const pid = Number(NAME.exec(name)?.[1]);
    if (pid > 0 && !isAlive(pid)) await rm(join(parent, name), { recursive: true, force: true });
  }
  return mkdtemp(join(parent, `skein-worker-${process.pid}-`));
}
