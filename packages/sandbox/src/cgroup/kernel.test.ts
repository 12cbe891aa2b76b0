/**
 * Control groups as the kernel of this machine has them. In the hybrid layout the unified hierarchy has
 * no controllers, so there version 2 moves, counts time and kills; where it has them, it also limits.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { ownedName } from '../host/owner.ts';
import type { ControlGroup, ControlGroups } from './contract.ts';
import { openControlGroups } from './open.ts';
import { readMounts } from '@skein/api/control-groups';
import { openV2, v2Group } from './v2.ts';

const MIB = 1 << 20;
const { unified } = existsSync('/proc/self/mountinfo')
  ? readMounts(readFileSync('/proc/self/mountinfo', 'latin1'))
  : { unified: undefined };
const hasMemory =
  unified !== undefined &&
  readFileSync(`${unified}/cgroup.controllers`, 'latin1').split(/\s/).includes('memory');

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function isWritable(path: string): boolean {
  try {
    accessSync(path, 2);
    return true;
  } catch {
    return false;
  }
}

/** Starts a script that waits to be moved, and moves it. */
async function runIn(folders: readonly string[], script: string): Promise<ChildProcess> {
  const child = spawn('sh', ['-c', `read -r _; ${script}`], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  children.push(child);
  await once(child, 'spawn');
  for (const folder of folders) writeFileSync(`${folder}/cgroup.procs`, String(child.pid));
  child.stdin?.end('go\n');
  return child;
}

describe.skipIf(unified === undefined || !isWritable(`${unified}/cgroup.procs`))(
  'the unified hierarchy of this kernel',
  () => {
    test('has groups in which processes are seen, counted and killed, with all that they forked', async () => {
      const folder = `${unified}/skein-test-${ownedName()}`;
      mkdirSync(folder);
      const group = v2Group('test', folder, false);
      try {
        expect([group.processes(), group.cpuMs()]).toEqual([[], 0]);
        const busy = 'while :; do :; done';
        const child = await runIn([folder], `(${busy}) & (setsid sh -c '${busy}' &) ; ${busy}`);
        await expect.poll(() => group.processes().length).toBe(3);
        expect(group.processes()).toContain(child.pid);
        await expect.poll(() => group.cpuMs()).toBeGreaterThan(50);
        const ended = once(child, 'exit');
        group.kill();
        expect(await ended).toEqual([null, 'SIGKILL']);
        await expect.poll(() => group.processes()).toEqual([]);
        // The usage of dead processes stays in the count.
        const used = group.cpuMs();
        expect(used).toBeGreaterThan(50);
        expect(group.cpuMs()).toBe(used);
      } finally {
        await group.remove();
      }
      expect(existsSync(folder)).toBe(false);
    });

    test.skipIf(hasMemory)('is not changed and not used when it has no controllers', async () => {
      const before = readFileSync(`${unified}/cgroup.subtree_control`, 'latin1');
      const here = await openV2(unified!, readFileSync('/proc/self/cgroup', 'latin1'));
      expect(here).toMatchObject({ groups: undefined, reason: expect.stringContaining(unified!) });
      expect(existsSync(`${unified}/skein`)).toBe(false);
      expect(readFileSync(`${unified}/cgroup.subtree_control`, 'latin1')).toBe(before);
    });
  },
);

const here = await openControlGroups();
describe.skipIf(here.groups === undefined)('the control groups of this machine', () => {
  const groups = here.groups as ControlGroups;
  let count = 0;
  afterAll(async () => await groups.close());

  async function fresh(): Promise<{ group: ControlGroup; folders: string[] }> {
    const group = await groups.create(`kernel-${++count}`);
    return { group, folders: groups.folders.map((folder) => `${folder}/${group.name}`) };
  }

  test('have version 2 when it has the controllers', () => {
    expect(groups.version).toBe(hasMemory ? 'v2' : 'v1');
  });

  test('limit memory, and count the peak and the kills', async () => {
    const { group, folders } = await fresh();
    group.limit({ memoryBytes: 32 * MIB, pids: 10, cores: 1 });
    const modest = await runIn(folders, 'head -c 8000000 /dev/zero | tail > /dev/null');
    expect(await once(modest, 'exit')).toEqual([0, null]);
    expect(group.outOfMemoryKills()).toBe(0);
    expect(group.peakMemoryBytes()).toBeGreaterThan(7 * MIB);
    const greedy = await runIn(folders, 'head -c 300000000 /dev/zero | tail > /dev/null; exit 7');
    await once(greedy, 'exit');
    expect(group.outOfMemoryKills()).toBeGreaterThan(0);
    expect(group.peakMemoryBytes()).toBeGreaterThan(30 * MIB);
    expect(group.peakMemoryBytes()).toBeLessThanOrEqual(32 * MIB);
    expect(group.cpuMs()).toBeGreaterThan(1);
    await group.remove();
  });

  test('limit processes', async () => {
    const { group, folders } = await fresh();
    group.limit({ memoryBytes: 32 * MIB, pids: 3, cores: 1 });
    const crowd = await runIn(folders, 'sleep 9 & sleep 9 & sleep 9 & true');
    expect((await once(crowd, 'exit'))[0]).toBeGreaterThan(0);
    expect(group.processes().length).toBeLessThanOrEqual(3);
    await group.remove();
  });

  test.runIf(groups?.limitsCores)(
    'limit cores: a group that would use more is throttled',
    async () => {
      const { group, folders } = await fresh();
      group.limit({ memoryBytes: 32 * MIB, pids: 10, cores: 0.1 });
      const stat = folders
        .map((folder) => `${folder}/cpu.stat`)
        .find((path) => existsSync(path) && readFileSync(path, 'latin1').includes('nr_throttled'));
      const throttled = (): number =>
        Number(/^nr_throttled (\d+)/m.exec(readFileSync(stat!, 'latin1'))?.[1]);
      expect(throttled()).toBe(0);
      await runIn(folders, 'while :; do :; done');
      await expect.poll(throttled).toBeGreaterThan(0);
      await group.remove();
    },
  );
});
