/**
 * The cores and the memory that this process may use. In a container that is less than the whole machine:
 * control groups bound memory and processor time, and the smallest bound between the group of the process and
 * the root counts. Node reads only the bounds of the process's own group, and rounds a quota down to whole
 * cores.
 *
 * Follows Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst of the kernel.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism, freemem, totalmem } from 'node:os';
import { ownGroup, readMounts, type CgroupMounts } from './control-groups.ts';

export interface MachineLimits {
  /** Time on the cores per time on the clock, such as 0.5. Absent: no quota. */
  readonly cores: number | undefined;
  /** Absent: no bound. */
  readonly memoryBytes: number | undefined;
  /** Cores that the scheduler may choose from. Absent: not Linux. */
  readonly allowedCores: number | undefined;
}

/** The bounds of the control groups that this process is in. @param root of the file system. */
export function readLimits(root = ''): MachineLimits {
  const { unified, v1, read } = ownGroups(root);
  return {
    cores: smallest([
      ...unified.map((folder) => {
        const [quota, period] = read(folder, 'cpu.max').split(' ');
        return Number(quota) / Number(period);
      }),
      ...v1('cpu').map(
        (folder) =>
          Number(read(folder, 'cpu.cfs_quota_us')) / Number(read(folder, 'cpu.cfs_period_us')),
      ),
    ]),
    memoryBytes: smallest([
      ...unified.flatMap((folder) => [
        Number(read(folder, 'memory.max')),
        Number(read(folder, 'memory.high')),
      ]),
      ...v1('memory').map((folder) => Number(read(folder, 'memory.limit_in_bytes'))),
    ]),
    allowedCores: countOf(
      /^Cpus_allowed_list:\s*(\S+)$/m.exec(textOf(`${root}/proc/self/status`))?.[1],
    ),
  };
}

/**
 * Memory that the bounds of the control groups leave free; absent: no bound. The kernel counts cached pages of files
 * as used, and takes them back before it refuses memory: they are free here.
 * @param root of the file system.
 */
export function freeWithinBounds(root = ''): number | undefined {
  const { unified, v1, read } = ownGroups(root);
  const within = (folder: string, limit: string, used: string, prefix: string): number => {
    const stat = read(folder, 'memory.stat');
    const cached = ['active_file', 'inactive_file'].map((name) =>
      Number(new RegExp(`^${prefix}${name} (\\d+)$`, 'm').exec(stat)?.[1] ?? 0),
    );
    const bound = Number(read(folder, limit));
    const left = bound - Number(read(folder, used)) + cached[0]! + cached[1]!;
    return bound > 0 ? Math.max(1, left) : NaN;
  };
  return smallest([
    ...unified.map((folder) => within(folder, 'memory.max', 'memory.current', '')),
    ...v1('memory').map((folder) =>
      within(folder, 'memory.limit_in_bytes', 'memory.usage_in_bytes', 'total_'),
    ),
  ]);
}

/** The control groups that this process is in, each with those above it, and their files. */
function ownGroups(root: string) {
  const mounts = readMounts(textOf(`${root}/proc/self/mountinfo`));
  const cgroup = textOf(`${root}/proc/self/cgroup`);
  return {
    unified: pathToRoot(mounts, mounts.unified, ownGroup(cgroup, '')),
    v1: (controller: string): string[] =>
      pathToRoot(mounts, mounts.v1.get(controller), ownGroup(cgroup, controller)),
    read: (folder: string, file: string): string => textOf(`${root}${folder}/${file}`),
  };
}

/** Memory that this process and its children can still take, in bytes. */
export function freeMemoryBytes(): number {
  return Math.min(usableMemoryBytes(), freemem(), freeWithinBounds() ?? Infinity);
}

/** Bytes of memory that this process and its children may use together. */
export function usableMemoryBytes(): number {
  return usableMemory(readLimits(), totalmem(), process.constrainedMemory());
}

/** Cores that this process and its children may use together; a quota may be a fraction of a core. */
export function usableCores(): number {
  return usableCoresOf(readLimits(), availableParallelism());
}

/** Usable cores as a number of threads: whole, and at least one. */
export function usableThreads(): number {
  return Math.max(1, Math.floor(usableCores()));
}

/** @param constrained Node's value: 0, or an enormous number, where it finds no bound. */
export function usableMemory(
  { memoryBytes = Infinity }: MachineLimits,
  total: number,
  constrained: number,
): number {
  return Math.min(total, memoryBytes, constrained > 0 ? constrained : Infinity);
}

/** @param parallelism Node's value, which is a quota rounded down where there is one. */
export function usableCoresOf({ cores, allowedCores }: MachineLimits, parallelism: number): number {
  if (cores === undefined) return parallelism;
  // A job's cores are counted in thousandths.
  return Math.max(1, Math.round(1000 * Math.min(cores, allowedCores ?? parallelism))) / 1000;
}

/** Folders from the group of a process up to the mount point; each one bounds the groups below it. */
function pathToRoot(mounts: CgroupMounts, mount: string | undefined, group: string): string[] {
  if (mount === undefined) return [];
  const root = mounts.roots.get(mount) ?? '/';
  // In a container the mount may show the container's group as the root, while `group` is the host's path.
  const isBelow = root !== '/' && (group === root || group.startsWith(`${root}/`));
  const names = (isBelow ? group.slice(root.length) : group).split('/').filter(Boolean);
  // The group is outside of the namespace of this process.
  if (names.includes('..')) return [mount];
  return names
    .reduceRight<string[]>(
      (folders, _, index) => [...folders, `${mount}/${names.slice(0, index + 1).join('/')}`],
      [],
    )
    .concat(mount);
}

/** The smallest bound; `max`, -1 and missing files are not bounds. */
function smallest(bounds: readonly number[]): number | undefined {
  const real = bounds.filter((bound) => Number.isFinite(bound) && bound > 0);
  return real.length === 0 ? undefined : Math.min(...real);
}

/** @param list as in cpuset(7): `0-3,8`. */
function countOf(list: string | undefined): number | undefined {
  const count = list?.split(',').reduce((sum, range) => {
    const [first, last = first] = range.split('-').map(Number);
    return sum + Number(last) - Number(first) + 1;
  }, 0);
  return count !== undefined && count > 0 ? count : undefined;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return '';
  }
}

/** Whether a process of this machine exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: the process exists, and belongs to another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
