/**
 * The limits and the usage of a command in a container: a control group of its own, when the node
 * can make one, else the container's.
 *
 * All commands of a container share its group, the peak of a group cannot be reset on most kernels,
 * and `docker update` costs 40 ms. So a node that is root on the daemon's machine moves the waiting
 * child into a fresh group: with version 1 next to the groups of other drivers; with version 2 below the
 * container's own, whose device rules still apply there. With a daemon elsewhere, the usage is the
 * difference of the counters that the supervisor reads inside.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type { ControlGroup, ControlGroups } from '../../cgroup/contract.ts';
import { v2Group } from '../../cgroup/v2.ts';
import type { SandboxContainer } from './container.ts';

export interface Accounts {
  /** A fresh group that holds the process with this id in the container. */
  open(pid: number): Promise<ControlGroup>;
}

let serial = 0;

/** Undefined where the container's processes cannot be seen or moved by this process. */
export function accountsOf(
  container: SandboxContainer,
  groups: ControlGroups | undefined,
): Accounts | undefined {
  if (groups === undefined || !isHere(container)) return undefined;
  return groups.version === 'v1' ? alongside(container, groups) : below(container);
}

function alongside(container: SandboxContainer, groups: ControlGroups): Accounts {
  return {
    async open(pid) {
      const group = await groups.create(`docker-${++serial}`);
      return await enter(
        group,
        groups.folders.map((folder) => `${folder}/${group.name}`),
        container,
        pid,
      );
    },
  };
}

function below(container: SandboxContainer): Accounts | undefined {
  const folder = unifiedFolder(container.pid);
  try {
    // A group that has groups below it may hold no process itself.
    mkdirSync(`${folder}/supervisor`, { recursive: true });
    writeFileSync(`${folder}/supervisor/cgroup.procs`, String(container.pid));
    writeFileSync(`${folder}/cgroup.subtree_control`, '+memory +pids +cpu');
  } catch {
    return undefined;
  }
  return {
    async open(pid) {
      const name = `command-${++serial}`;
      await mkdir(`${folder}/${name}`);
      const group = v2Group(name, `${folder}/${name}`, true);
      return await enter(group, [`${folder}/${name}`], container, pid);
    },
  };
}

/** Moves the process with this id in the container into a fresh group. */
async function enter(
  group: ControlGroup,
  folders: readonly string[],
  container: SandboxContainer,
  pid: number,
): Promise<ControlGroup> {
  try {
    const found = String(hostPid(container, pid));
    for (const folder of folders) writeFileSync(`${folder}/cgroup.procs`, found);
    return group;
  } catch (error) {
    // The child has ended, as when its session is closed: nothing else would remove the group.
    await group.remove();
    throw error;
  }
}

/**
 * Whether the daemon and this process share process ids: the daemon is on this machine, and its
 * runtime lets processes of a container be processes of the host, not of a kernel of its own.
 */
function isHere({ pid, id }: SandboxContainer): boolean {
  try {
    const isSupervisor = readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith('python3\0');
    return isSupervisor && readFileSync(`/proc/${pid}/cgroup`, 'latin1').includes(id);
  } catch {
    return false;
  }
}

/** @throws Error when there is no such child any more. */
function hostPid({ pid: supervisor }: SandboxContainer, pid: number): number {
  for (const child of children(supervisor)) {
    try {
      const status = readFileSync(`/proc/${child}/status`, 'latin1');
      if (/^NSpid:.*\s(\d+)$/m.exec(status)?.[1] === String(pid)) return child;
    } catch {
      // It has ended meanwhile.
    }
  }
  throw new Error(`the sandbox has no process ${pid} any more`);
}

function children(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1')
    .split(' ')
    .filter(Boolean)
    .map(Number);
}

function unifiedFolder(pid: number): string {
  const path = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'latin1'))?.[1] ?? '/';
  return `/sys/fs/cgroup${path}`;
}
