/**
 * Mounts look the same to a guest, whether they are written into a waiting container or bound into
 * a new one.
 */
import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import type { Mount, SandboxSession, SessionOptions } from '../../contract.ts';
import { alteredDaemon } from '../../testing/altered-daemon.ts';
import { createDocker, type DockerOptions } from '../docker.ts';

const MIB = 1024 * 1024;
const OPTIONS: Omit<SessionOptions, 'mounts'> = {
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
};

const folder = testFolder();
const closers: (() => unknown)[] = [];
beforeAll(() => {
  writeFileSync(join(folder, 'small'), 'small\n');
  writeFileSync(join(folder, 'tool'), '#!/bin/sh\necho tool\n');
  chmodSync(join(folder, 'tool'), 0o750);
  writeFileSync(join(folder, 'large'), Buffer.alloc(5 * MIB, 'x'));
  mkdirSync(join(folder, 'tree'));
  writeFileSync(join(folder, 'tree', 'leaf'), 'leaf\n');
});
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** A driver whose containers are recorded, with the binds of each. */
async function watched(options: DockerOptions = {}) {
  const started: string[][] = [];
  const daemon = await alteredDaemon((limits) => {
    if (!('Mounts' in limits)) return;
    started.push((limits['Mounts'] as { Target: string }[]).map(({ Target }) => Target));
  });
  closers.push(() => daemon.close());
  const docker = createDocker({ host: daemon.host, ...options });
  closers.push(() => docker.close());
  await docker.availability();
  started.length = 0;
  const open = async (...mounts: Mount[]): Promise<SandboxSession> => {
    return await docker.open({ ...OPTIONS, mounts });
  };
  return { started, open };
}

const mount = (name: string, target: string): Mount => ({ source: join(folder, name), target });

async function outputOf(session: SandboxSession, script: string): Promise<string> {
  const { stdout, stderr } = await session.run({
    argv: ['sh', '-c', script],
    workspace: 'writable',
  });
  return `${Buffer.from(stdout)}${Buffer.from(stderr)}`;
}

describe.skipIf(requireComponent('sandbox-image').skip)('a mounted file', () => {
  test('can be read and run, and never changed', async () => {
    const { started, open } = await watched({ warm: 0 });
    const mounts = [
      mount('small', '/inputs/0'),
      mount('tool', '/inputs/deep/er/tool'),
      mount('large', '/inputs/1'),
      mount('tree', '/inputs/tree'),
      mount('small', '/data/elsewhere'),
    ];
    const session = await open(...mounts);
    expect(started).toEqual([['/inputs/1', '/inputs/tree', '/data/elsewhere']]);
    expect(
      await outputOf(
        session,
        'cat /inputs/0 /data/elsewhere /inputs/tree/leaf; /inputs/deep/er/tool; wc -c < /inputs/1',
      ),
    ).toBe(`small\nsmall\nleaf\ntool\n${5 * MIB}\n`);
    for (const { target } of mounts) {
      const tried = `t=${target}; { echo x > $t || echo x > $t/new || rm -f $t/leaf $t || mv $t $t.old || chmod 777 $t; } 2>&- || echo kept`;
      expect(await outputOf(session, tried), target).toBe('kept\n');
    }
    expect(await outputOf(session, 'echo x > /inputs/new || mkdir /inputs/deep/new')).toMatch(
      /(denied|Read-only)[^]*(denied|Read-only)/,
    );
    await session.close();
  });

  test('and small is written into a waiting container', async () => {
    const { started, open } = await watched();
    // The first container of its shape is made now, and the next one directly after it.
    const first = await open();
    await expect.poll(() => started.length).toBe(2);
    const second = await open(mount('small', '/inputs/0'));
    expect(await outputOf(second, 'cat /inputs/0')).toBe('small\n');
    const third = await open();
    expect(await outputOf(third, 'ls -A /inputs')).toBe('');
    for (const session of [first, second, third]) await session.close();
    expect(started.every((bound) => bound.length === 0)).toBe(true);
  });

  test('and bound repeatedly finds waiting containers, until another file takes its name', async () => {
    const { started, open } = await watched();
    /** The number of containers that should exist when one more session is over. */
    const after = async (containers: number): Promise<void> => {
      const session = await open(mount('tree', '/inputs/tree'));
      expect(await outputOf(session, 'cat /inputs/tree/leaf')).toBe('leaf\n');
      await session.close();
      await expect.poll(() => started.length).toBe(containers);
    };
    await after(1);
    await after(2);
    // The third session makes one for itself and one for later, which the fourth takes.
    await after(4);
    await after(5);
    renameSync(join(folder, 'tree'), join(folder, 'old'));
    mkdirSync(join(folder, 'tree'));
    writeFileSync(join(folder, 'tree', 'leaf'), 'leaf\n');
    await after(6);
  });

  test('and small needs no daemon that sees the files', async () => {
    const { open } = await watched({ accounting: 'container' });
    const session = await open(mount('small', '/inputs/0'));
    const { stdout, usage } = await session.run({
      argv: ['cat', '/inputs/0'],
      workspace: 'read-only',
    });
    expect(Buffer.from(stdout).toString()).toBe('small\n');
    expect(usage.peakMemoryBytes).toBeLessThan(32 * MIB);
    await session.close();
  });

  test('must exist', async () => {
    const { open } = await watched({ warm: 0 });
    await expect(open(mount('missing', '/inputs/0'))).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
      message: expect.stringContaining('missing'),
    });
    await expect(open({ source: 'small', target: '/inputs/0' })).rejects.toThrow(/absolute/);
  });
});
