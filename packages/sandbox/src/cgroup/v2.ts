/**
 * Control groups, version 2: one hierarchy, which systemd delegates to users in part.
 * Follows Documentation/admin-guide/cgroup-v2.rst of the kernel.
 *
 * A group that hands controllers to its children may hold no processes itself. When the node runs
 * inside the only writable group, it moves the processes of that group into a leaf next to its own
 * groups.
 */
import { accessSync, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type { ControlGroup, ControlGroups, ControlGroupsHere } from './contract.ts';
import {
  emptied,
  reclaim,
  killProcesses,
  removeWithGroups,
  processesOf,
  removeGroup,
  removeStaleGroups,
} from './group-folder.ts';
import { ownGroup } from '@skein/api/control-groups';
import { ownedName } from '../host/owner.ts';

const PERIOD_US = 100_000;
const REQUIRED = ['memory', 'pids'] as const;

/** @param cgroup the text of /proc/self/cgroup. */
export async function openV2(mount: string, cgroup: string): Promise<ControlGroupsHere> {
  // This process has opened the groups before: the node is in its leaf already.
  const own =
    mount +
    ownGroup(cgroup, '')
      .replace(/^\/$/, '')
      .replace(/\/skein-node$/, '');
  for (const parent of new Set([mount, own])) {
    const top = `${parent}/skein`;
    try {
      mkdirSync(top, { recursive: true });
      accessSync(`${top}/cgroup.procs`, 2);
      // Moving a process needs write access to the group that the old and the new group have in
      // common.
      accessSync(`${parent}/cgroup.procs`, 2);
      delegate(parent, parent === own);
      delegate(top, false);
      const base = `${top}/${ownedName()}`;
      mkdirSync(base, { recursive: true });
      delegate(base, false);
      await removeStaleGroups(top);
      return { groups: v2Groups(base) };
    } catch {
      try {
        rmdirSync(top);
      } catch {
        // The leaf was never made, or another node uses it.
      }
    }
  }
  return {
    groups: undefined,
    reason: `no control group under ${mount} is delegated to this process with ${REQUIRED.join(' and ')}`,
    fix: 'Start it with: systemd-run --user --scope -p Delegate=yes COMMAND (or run it as root).',
  };
}

/** Hands the controllers of a group to its children. @throws when it has no such controllers. */
function delegate(folder: string, moveProcesses: boolean): void {
  const missing = [...REQUIRED, 'cpu'].filter(
    (controller) => !list(folder, 'subtree_control').includes(controller),
  );
  if (missing.length === 0) return;
  const offered = list(folder, 'controllers');
  for (const controller of REQUIRED) {
    if (!offered.includes(controller)) throw new Error(`${folder} has no ${controller} controller`);
  }
  const wanted = missing.filter((controller) => offered.includes(controller));
  const enable = () =>
    writeFileSync(
      `${folder}/cgroup.subtree_control`,
      wanted.map((controller) => `+${controller}`).join(' '),
    );
  try {
    enable();
  } catch (error) {
    if (!moveProcesses || (error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
    const leaf = `${folder}/skein-node`;
    mkdirSync(leaf, { recursive: true });
    for (const pid of processesOf(folder)) writeFileSync(`${leaf}/cgroup.procs`, String(pid));
    enable();
  }
}

function list(folder: string, file: 'controllers' | 'subtree_control'): string[] {
  return readFileSync(`${folder}/cgroup.${file}`, 'latin1').trim().split(' ');
}

function v2Groups(base: string): ControlGroups {
  const limitsCores = list(base, 'subtree_control').includes('cpu');
  return {
    version: 'v2',
    folders: [base],
    limitsSwap: true,
    limitsCores,
    async create(name) {
      const folder = `${base}/${name}`;
      await mkdir(folder);
      return v2Group(name, folder, limitsCores);
    },
    close: () => removeWithGroups(base),
  };
}

/**
 * A group of version 2. Exported so that its parsing of the kernel's files can be tested on any
 * machine.
 */
export function v2Group(name: string, folder: string, limitsCores: boolean): ControlGroup {
  const has = (file: string): boolean => existsSync(`${folder}/${file}`);
  const read = (file: string): string => readFileSync(`${folder}/${file}`, 'latin1');
  const write = (file: string, value: string): void => writeFileSync(`${folder}/${file}`, value);
  function field(file: string, name: string): number {
    for (const line of read(file).split('\n')) {
      const [key, value] = line.split(' ');
      if (key === name) return Number(value);
    }
    return 0;
  }
  function kill(): void {
    try {
      write('cgroup.kill', '1');
    } catch {
      // Before Linux 5.14.
      killProcesses(folder);
    }
  }

  return {
    name,
    limit({ memoryBytes, pids, cores }) {
      if (Number.isFinite(memoryBytes)) {
        write('memory.max', String(memoryBytes));
        if (has('memory.swap.max')) write('memory.swap.max', '0');
        // A process that is killed for memory ends the whole command: no half of it runs on.
        write('memory.oom.group', '1');
      }
      if (Number.isFinite(pids)) write('pids.max', String(pids));
      if (limitsCores && Number.isFinite(cores)) {
        write('cpu.max', `${Math.round((cores ?? 1) * PERIOD_US)} ${PERIOD_US}`);
      }
    },
    cpuMs: () => field('cpu.stat', 'usage_usec') / 1000,
    // memory.peak exists since Linux 5.19.
    peakMemoryBytes: () => Number(read(has('memory.peak') ? 'memory.peak' : 'memory.current')),
    outOfMemoryKills: () => field('memory.events', 'oom_kill'),
    processes: () => processesOf(folder),
    kill,
    async remove() {
      kill();
      await emptied(folder, kill);
      // Since Linux 5.19.
      if (has('memory.reclaim')) {
        await reclaim(`${folder}/memory.reclaim`, read('memory.current').trim());
      }
      await removeGroup(folder, kill);
    },
  };
}
