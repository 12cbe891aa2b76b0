/**
 * Control groups, version 1: one hierarchy per controller, so one command has up to four folders.
 * Follows Documentation/admin-guide/cgroup-v1 of the kernel.
 */
import { accessSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type { ControlGroup, ControlGroups, ControlGroupsHere } from './contract.ts';
import {
  emptied,
  forget,
  killProcesses,
  folders,
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
  return { groups: new V1Groups(bases) };
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

class V1Groups implements ControlGroups {
  readonly version = 'v1';
  readonly folders: readonly string[];
  readonly limitsSwap: boolean;
  readonly limitsCores: boolean;
  readonly #bases: ReadonlyMap<Controller, string>;

  constructor(bases: ReadonlyMap<Controller, string>) {
    this.#bases = bases;
    this.folders = [...new Set(bases.values())];
    this.limitsSwap = existsSync(`${bases.get('memory')}/memory.memsw.limit_in_bytes`);
    this.limitsCores = existsSync(`${bases.get('cpu')}/cpu.cfs_quota_us`);
  }

  async create(name: string): Promise<ControlGroup> {
    await Promise.all(this.folders.map((folder) => mkdir(`${folder}/${name}`)));
    const at = new Map(
      [...this.#bases].map(([controller, base]) => [controller, `${base}/${name}`]),
    );
    return new V1Group(name, at, this);
  }

  async close(): Promise<void> {
    for (const base of this.folders) {
      for (const name of folders(base)) {
        await removeGroup(`${base}/${name}`, () => killProcesses(`${base}/${name}`));
      }
      await removeGroup(base, () => undefined);
    }
  }
}

class V1Group implements ControlGroup {
  readonly name: string;
  readonly #folders: ReadonlyMap<Controller, string>;
  readonly #groups: V1Groups;

  constructor(name: string, at: ReadonlyMap<Controller, string>, groups: V1Groups) {
    this.name = name;
    this.#folders = at;
    this.#groups = groups;
  }

  limit(limits: { memoryBytes: number; pids: number; cores?: number | undefined }): void {
    if (Number.isFinite(limits.memoryBytes)) {
      this.#write('memory', 'memory.limit_in_bytes', limits.memoryBytes);
      // Memory and swap together; it may not be less than the limit of memory, hence after it.
      if (this.#groups.limitsSwap) {
        this.#write('memory', 'memory.memsw.limit_in_bytes', limits.memoryBytes);
      }
    }
    if (Number.isFinite(limits.pids)) this.#write('pids', 'pids.max', limits.pids);
    if (this.#groups.limitsCores && Number.isFinite(limits.cores)) {
      this.#write('cpu', 'cpu.cfs_quota_us', Math.round((limits.cores ?? 1) * PERIOD_US));
    }
  }

  cpuMs(): number {
    return this.#read('cpuacct', 'cpuacct.usage') / 1e6;
  }

  peakMemoryBytes(): number {
    return this.#read('memory', 'memory.max_usage_in_bytes');
  }

  outOfMemoryKills(): number {
    const control = readFileSync(`${this.#folder('memory')}/memory.oom_control`, 'latin1');
    return Number(/^oom_kill (\d+)$/m.exec(control)?.[1] ?? 0);
  }

  processes(): number[] {
    return processesOf(this.#folder('pids'));
  }

  kill(): void {
    killProcesses(this.#folder('pids'));
  }

  async remove(): Promise<void> {
    this.kill();
    await emptied(this.#folder('pids'), () => this.kill());
    await forget(`${this.#folder('memory')}/memory.force_empty`, '0');
    await Promise.all(
      this.#groups.folders.map((folder) =>
        removeGroup(`${folder}/${this.name}`, () => this.kill()),
      ),
    );
  }

  #folder(controller: Controller): string {
    return this.#folders.get(controller) ?? '';
  }

  #read(controller: Controller, file: string): number {
    return Number(readFileSync(`${this.#folder(controller)}/${file}`, 'latin1'));
  }

  #write(controller: Controller, file: string, value: number): void {
    writeFileSync(`${this.#folder(controller)}/${file}`, String(value));
  }
}
