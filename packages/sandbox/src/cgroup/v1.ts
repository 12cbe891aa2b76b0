/**
 * Control groups, version 1: one hierarchy per controller, so one command has up to four folders.
 * Follows Documentation/admin-guide/cgroup-v1 of the kernel.
 */
import { accessSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
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
import { ownGroup, type CgroupMounts } from '@skein/api/control-groups';
import { ownedName } from '../host/owner.ts';

const PERIOD_US = 100_000;
const REQUIRED = ['memory', 'pids', 'cpuacct'] as const;

type Controller = (typeof REQUIRED)[number] | 'cpu';

/** @param cgroup the text of /proc/self/cgroup. */
export async function openV1(mounts: CgroupMounts, cgroup: string): Promise<ControlGroupsHere> {
  const missing = REQUIRED.filter((controller) => !mounts.v1.has(controller));
  if (missing.length > 0) {
    return {
      groups: undefined,
      reason: `this system has no control group for ${missing.join(', ')}`,
      fix: 'Boot with systemd.unified_cgroup_hierarchy=1, or mount the controllers under /sys/fs/cgroup.',
    };
  }
  const name = ownedName();
  const bases = new Map<Controller, string>();
  for (const controller of [...REQUIRED, 'cpu'] as const) {
    const mount = mounts.v1.get(controller);
    if (mount === undefined) continue;
    const base = await makeBase([mount, mount + ownGroup(cgroup, controller)], name);
    if (base !== undefined) bases.set(controller, base);
    else if (controller !== 'cpu') {
      return {
        groups: undefined,
        reason: `${mount} is not writable, so memory and processes cannot be limited`,
        fix: 'Run the node as root, or as a user with a delegated control group.',
      };
    }
  }
  return { groups: v1Groups(bases) };
}

/** Makes `PARENT/skein/NAME` in the first parent that allows it. */
async function makeBase(parents: readonly string[], name: string): Promise<string | undefined> {
  for (const parent of parents) {
    const base = `${parent.replace(/\/$/, '')}/skein/${name}`;
    try {
      mkdirSync(base, { recursive: true });
      accessSync(`${base}/cgroup.procs`, 2);
    } catch {
      continue;
    }
    await removeStaleGroups(`${parent}/skein`);
    return base;
  }
  return undefined;
}

function v1Groups(bases: ReadonlyMap<Controller, string>): ControlGroups {
  const folders = [...new Set(bases.values())];
  const limitsSwap = existsSync(`${bases.get('memory')}/memory.memsw.limit_in_bytes`);
  const limitsCores = existsSync(`${bases.get('cpu')}/cpu.cfs_quota_us`);

  function groupOf(name: string): ControlGroup {
    const at = (controller: Controller): string => `${bases.get(controller)}/${name}`;
    const write = (controller: Controller, file: string, value: number): void =>
      writeFileSync(`${at(controller)}/${file}`, String(value));
    const read = (controller: Controller, file: string): string =>
      readFileSync(`${at(controller)}/${file}`, 'latin1');
    const kill = (): void => killProcesses(at('pids'));
    return {
      name,
      limit({ memoryBytes, pids, cores }) {
        if (Number.isFinite(memoryBytes)) {
          write('memory', 'memory.limit_in_bytes', memoryBytes);
          // Memory and swap together; it may not be less than the limit of memory, hence after it.
          if (limitsSwap) write('memory', 'memory.memsw.limit_in_bytes', memoryBytes);
        }
        if (Number.isFinite(pids)) write('pids', 'pids.max', pids);
        if (limitsCores && Number.isFinite(cores)) {
          write('cpu', 'cpu.cfs_quota_us', Math.round((cores ?? 1) * PERIOD_US));
        }
      },
      cpuMs: () => Number(read('cpuacct', 'cpuacct.usage')) / 1e6,
      peakMemoryBytes: () => Number(read('memory', 'memory.max_usage_in_bytes')),
      outOfMemoryKills() {
        const [, kills = 0] = /^oom_kill (\d+)$/m.exec(read('memory', 'memory.oom_control')) ?? [];
        return Number(kills);
      },
      processes: () => processesOf(at('pids')),
      kill,
      async remove() {
        kill();
        await emptied(at('pids'), kill);
        // A lower limit frees the names of files. Pages may also wait in the lists of other cores, which
        // only `force_empty` empties; that delays commands that start meanwhile by half a millisecond.
        const pages = !/^total_cache 0$/m.test(read('memory', 'memory.stat'));
        const file = pages ? 'memory.force_empty' : 'memory.limit_in_bytes';
        await reclaim(`${at('memory')}/${file}`, '0');
        await Promise.all(folders.map((folder) => removeGroup(`${folder}/${name}`, kill)));
      },
    };
  }

  return {
    version: 'v1',
    folders,
    limitsSwap,
    limitsCores,
    async create(name) {
      await Promise.all(folders.map((folder) => mkdir(`${folder}/${name}`)));
      return groupOf(name);
    },
    async close() {
      for (const base of folders) await removeWithGroups(base);
    },
  };
}
