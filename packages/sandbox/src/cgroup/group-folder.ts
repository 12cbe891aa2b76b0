/** The common parts of control groups of both versions: a folder, its processes, its removal. */
import { readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { rmdir, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ownerIsAlive } from '../host/owner.ts';

/** Processes in the group at `folder`; none when it is gone. */
export function processesOf(folder: string): number[] {
  try {
    return readFileSync(`${folder}/cgroup.procs`, 'latin1')
      .split('\n')
      .filter((line) => line !== '')
      .map(Number);
  } catch {
    return [];
  }
}

/** Kills every process of the group, one by one. */
export function killProcesses(folder: string): void {
  for (const pid of processesOf(folder)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // The process is gone already.
    }
  }
}

/** Waits until no process is in the group; kills processes that are still there again. */
export async function emptied(folder: string, kill: () => void): Promise<void> {
  for (let waited = 0; processesOf(folder).length > 0 && waited <= 2000; waited++) {
    await sleep(Math.min(1 + waited, 10));
    kill();
  }
}

/**
 * Makes the kernel free the memory that is charged to a group whose processes are dead: pages of
 * files, entries of directories. Memory that cannot be freed, such as a file in a tmpfs, stays.
 */
export async function reclaim(file: string, bytes: string): Promise<void> {
  try {
    await writeFile(file, bytes);
  } catch {
    // Not all of it could be freed (EAGAIN, EBUSY), or this kernel has no such file.
  }
}

/** How often the removal of a group is tried, about 10 ms apart: of one's own, and of a dead node's. */
const TRIES = 2000;
const STALE_TRIES = 50;

/** Removes the group; kills again and waits as long as a process in it is still dying. */
export async function removeGroup(
  folder: string,
  kill: () => void,
  tries: number = TRIES,
): Promise<void> {
  for (let waited = 0; ; waited++) {
    try {
      return await rmdir(folder);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'ENOENT') return;
      if (code !== 'EBUSY' || waited > tries) throw error;
    }
    kill();
    await sleep(Math.min(1 + waited, 10));
  }
}

/** Removes a group with all groups in it, after killing their processes. */
export async function removeWithGroups(base: string): Promise<void> {
  for (const name of folders(base)) {
    const folder = `${base}/${name}`;
    await removeGroup(folder, () => killProcesses(folder));
  }
  await removeGroup(base, () => undefined);
}

/**
 * Removes the groups that killed nodes left in `parent`, after killing the processes that still run
 * there. Takes no time when there are none; a group that cannot be removed within half a second is
 * removed at the next start.
 */
export async function removeStaleGroups(parent: string): Promise<void> {
  const dead = folders(parent).filter((owner) => !ownerIsAlive(owner));
  // All at once, and not for long: a node that starts waits for it.
  await Promise.all(dead.map((owner) => removeStale(`${parent}/${owner}`)));
}

async function removeStale(owner: string): Promise<void> {
  await Promise.allSettled(
    folders(owner).map((name) => {
      const folder = `${owner}/${name}`;
      return removeGroup(folder, () => killProcesses(folder), STALE_TRIES);
    }),
  );
  try {
    rmdirSync(owner);
  } catch {
    // Another node is removing it, or a process in it does not die.
  }
}

/** Names of the groups in a group. */
function folders(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}
