/** The control group that a command in a container is accounted in, as the kernel reports it. */
import { once } from 'node:events';
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { thisOwner } from '../../host/owner.ts';
import type { RunningCommand, SandboxDriver, SandboxSession } from '../../contract.ts';
import { createDocker } from '../docker.ts';
import { connectEngine } from '../daemon/engine.ts';

const ROOT = '/sys/fs/cgroup';
const MIB = 1024 * 1024;
const UNIFIED = existsSync(`${ROOT}/cgroup.controllers`);
const isRoot = process.getuid?.() === 0;

describe.skipIf(requireComponent('sandbox-image').skip || !isRoot)(
  'a command in a container',
  () => {
    let driver: SandboxDriver;
    let session: SandboxSession;
    beforeAll(async () => {
      driver = createDocker({ warm: 0 });
      session = await driver.open({
        mounts: [],
        limits: {
          wallMs: 60_000,
          memoryBytes: 64 * MIB,
          pids: 16,
          outputBytes: MIB,
          fileBytes: MIB,
          diskBytes: 8 * MIB,
        },
        network: 'none',
        untrusted: true,
      });
    }, 60_000);
    afterAll(() => driver.close());

    /** A command that runs, and its process on this machine. */
    async function start(memoryBytes: number): Promise<{ command: RunningCommand; pid: string }> {
      const mark = `64.${Math.floor(Math.random() * 1e9)}`;
      const command = session.start({
        argv: ['sh', '-c', `echo; exec sleep ${mark}`],
        workspace: 'read-only',
        limits: { memoryBytes },
      });
      await once(command.stdout, 'data');
      const find = (): string | undefined =>
        readdirSync('/proc').find((name) =>
          readIf(`/proc/${name}/cmdline`).includes(`\0${mark}\0`),
        );
      await expect.poll(find).toBeDefined();
      return { command, pid: find()! };
    }

    test.runIf(UNIFIED)("has a group below its container's, with version 2", async () => {
      const [first, second] = [await start(20 * MIB), await start(30 * MIB)];
      const groups = [first, second].map(({ pid }) => groupOf(pid, ''));
      const [own, other] = groups;
      expect(own).toMatch(/\/command-\d+$/);
      expect(own).not.toBe(other);
      // The container, whose rules about devices still apply there; process 1 is in a sibling.
      const container = own!.replace(/\/[^/]*$/, '');
      expect(other).toMatch(new RegExp(`^${container}/command-\\d+$`));
      const [supervisor] = readFileSync(
        `${ROOT}${container}/supervisor/cgroup.procs`,
        'latin1',
      ).split('\n');
      expect(readIf(`/proc/${supervisor}/cmdline`)).toMatch(/^python3\0/);
      expect(await idsOfContainers()).toContain(/([0-9a-f]{64})/.exec(container)?.[1]);

      const limits = groups.map((group) => readIf(`${ROOT}${group}/memory.max`).trim());
      expect(limits).toEqual([String(20 * MIB), String(30 * MIB)]);
      for (const { command } of [first, second]) await command.kill();
      await expect
        .poll(() => existsSync(`${ROOT}${own}`) || existsSync(`${ROOT}${other}`))
        .toBe(false);
    });

    test.runIf(!UNIFIED)(
      'has a group next to the groups of other drivers, with version 1',
      async () => {
        const { command, pid } = await start(20 * MIB);
        for (const controller of ['memory', 'pids', 'cpuacct']) {
          expect(groupOf(pid, controller)).toMatch(
            new RegExp(`/skein/${thisOwner()}-\\w+/docker-\\d+$`),
          );
        }
        const own = groupOf(pid, 'memory');
        expect(readIf(`${ROOT}/memory${own}/memory.limit_in_bytes`).trim()).toBe(String(20 * MIB));
        await command.kill();
        await expect.poll(() => existsSync(`${ROOT}/memory${own}`)).toBe(false);
      },
    );

    test('leaves no group when its session is closed', async () => {
      const { pid } = await start(20 * MIB);
      const path = UNIFIED
        ? `${ROOT}${groupOf(pid, '')}`
        : `${ROOT}/memory${groupOf(pid, 'memory')}`;
      expect(existsSync(path)).toBe(true);
      await session.close();
      await expect.poll(() => existsSync(path)).toBe(false);
      // Includes the groups of the driver's trials and of waiting children.
      const left = () => globSync(`${ROOT}/{*/,}skein/${thisOwner()}-*/docker-*`);
      await expect.poll(left).toEqual([]);
    });
  },
);

/** The group of a process in a hierarchy, from its root. */
function groupOf(pid: string, controller: string): string {
  for (const line of readFileSync(`/proc/${pid}/cgroup`, 'latin1').split('\n')) {
    const [, controllers, ...path] = line.split(':');
    if (controllers?.split(',').includes(controller)) return path.join(':');
  }
  throw new Error(`${pid} has no group of ${controller}`);
}

async function idsOfContainers(): Promise<string[]> {
  return (await connectEngine(undefined).listContainers()).map(({ Id }) => Id);
}

function readIf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
