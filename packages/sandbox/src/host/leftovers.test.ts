/** Everything that a killed node leaves behind is gone, at the latest when the next node starts. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { createBubblewrap } from '../bubblewrap/bubblewrap.ts';
import type { SandboxDriver } from '../contract.ts';
import { createProcessSandbox } from '../process/process.ts';

const NODE = fileURLToPath(new URL('../testing/left-behind.ts', import.meta.url));
const PATIENCE_MS = 15_000;

const DRIVERS = [
  {
    name: 'bubblewrap',
    create: createBubblewrap,
    skip: requireComponent('bubblewrap').skip,
    alone: true,
  },
  {
    name: 'process',
    create: createProcessSandbox,
    skip: process.platform !== 'linux',
    alone: false,
  },
];

test.each(DRIVERS.filter(({ skip }) => !skip))(
  'after kill -9 of a node with $name',
  async ({ name, create, alone }) => {
    const mark = `62.${process.pid}${Math.floor(Math.random() * 1e6)}`;
    const node = spawn(process.execPath, [NODE, name, mark], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const pid = String(node.pid);
    await once(node.stdout, 'data');
    expect(processesWith(mark)).not.toEqual([]);
    expect(leftBy(pid)).not.toEqual([]);
    node.kill('SIGKILL');
    await once(node, 'exit');
    // Name spaces end with their first process; no cleanup is needed.
    if (alone) await until(() => processesWith(mark).length === 0);

    const next: SandboxDriver = create();
    expect(await next.availability()).toMatchObject({ available: true });
    await until(() => processesWith(mark).length === 0);
    expect(leftBy(pid)).toEqual([]);
    await next.close();
    expect(leftBy(String(process.pid))).toEqual([]);
  },
  60_000,
);

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error('it never came to hold');
    await sleep(20);
  }
}

function processesWith(word: string): string[] {
  return readdirSync('/proc').filter((name) => {
    try {
      return (
        /^\d+$/.test(name) &&
        readFileSync(`/proc/${name}/cmdline`, 'latin1').split('\0').includes(word)
      );
    } catch {
      return false;
    }
  });
}

/** Control groups, folders and mounts that name the process as their owner. */
function leftBy(pid: string): string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'latin1')
    .split('\n')
    .filter((line) => line.includes(`/${pid}-`));
  return [
    ...globSync(`/sys/fs/cgroup/{*/,}skein/${pid}-*`),
    ...globSync(`/run/skein-sandbox/${pid}-*`),
    ...mounts,
  ];
}
