import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { ownerIsAlive, ownedName } from '../host/owner.ts';
import { ownGroup, readMounts } from '@skein/api/control-groups';
import { openV2, v2Group } from './v2.ts';

describe('where the hierarchies are', () => {
  test('a machine with version 2 alone', () => {
    const mounts = readMounts(
      '29 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n',
    );
    expect(mounts.unified).toBe('/sys/fs/cgroup');
    expect(mounts.v1.size).toBe(0);
    expect(
      ownGroup('0::/user.slice/user-1000.slice/user@1000.service/app.slice/a:b.scope\n', ''),
    ).toBe('/user.slice/user-1000.slice/user@1000.service/app.slice/a:b.scope');
  });

  test('a machine with both, and with controllers that share a mount', () => {
    const mounts = readMounts(
      [
        '30 23 0:27 / /sys/fs/cgroup/unified rw shared:5 - cgroup2 cgroup2 rw',
        '35 23 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct',
        '36 23 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
        '37 23 0:32 / /tmp/with\\040space rw - cgroup cgroup rw,pids',
      ].join('\n'),
    );
    expect(mounts.unified).toBe('/sys/fs/cgroup/unified');
    expect(mounts.v1.get('cpu')).toBe('/sys/fs/cgroup/cpu,cpuacct');
    expect(mounts.v1.get('cpuacct')).toBe('/sys/fs/cgroup/cpu,cpuacct');
    expect(mounts.v1.get('memory')).toBe('/sys/fs/cgroup/memory');
    expect(mounts.v1.has('pids')).toBe(false);
    const own = '9:name=systemd:/\n8:pids:/\n4:memory:/a/b\n2:cpu,cpuacct:/c\n0::/\n';
    expect([
      ownGroup(own, 'memory'),
      ownGroup(own, 'cpuacct'),
      ownGroup(own, 'pids'),
      ownGroup(own, 'io'),
    ]).toEqual(['/a/b', '/c', '/', '/']);
  });
});

/**
 * Version 2 is read and written as files; here they are plain files with the text that the kernel
 * writes.
 */
describe('a group of version 2', () => {
  let folder: string;
  const file = (name: string): string => readFileSync(join(folder, name), 'latin1');
  beforeEach(() => {
    folder = testFolder();
  });

  test('is limited in memory without swap, in processes and in cores', () => {
    writeFileSync(join(folder, 'memory.swap.max'), 'max');
    v2Group('1', folder, true).limit({ memoryBytes: 67_108_864, pids: 20, cores: 0.5 });
    expect(file('memory.max')).toBe('67108864');
    expect(file('memory.swap.max')).toBe('0');
    expect(file('memory.oom.group')).toBe('1');
    expect(file('pids.max')).toBe('20');
    expect(file('cpu.max')).toBe('50000 100000');
  });

  test('counts time, memory and kills', () => {
    writeFileSync(
      join(folder, 'cpu.stat'),
      'usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\n',
    );
    writeFileSync(join(folder, 'memory.peak'), '4096000\n');
    writeFileSync(
      join(folder, 'memory.events'),
      'low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 1\n',
    );
    writeFileSync(join(folder, 'cgroup.procs'), '12\n345\n');
    const group = v2Group('1', folder, true);
    expect(group.cpuMs()).toBe(1234.567);
    expect(group.peakMemoryBytes()).toBe(4_096_000);
    expect(group.outOfMemoryKills()).toBe(2);
    expect(group.processes()).toEqual([12, 345]);
    group.kill();
    expect(file('cgroup.kill')).toBe('1');
  });
});

describe('a hierarchy of version 2', () => {
  test('that delegates nothing to this process is explained, and not changed', async () => {
    const mount = testFolder();
    mkdirSync(join(mount, 'user'));
    for (const folder of [mount, join(mount, 'user')]) {
      writeFileSync(join(folder, 'cgroup.procs'), '');
      writeFileSync(join(folder, 'cgroup.controllers'), 'cpu\n');
      writeFileSync(join(folder, 'cgroup.subtree_control'), '\n');
    }
    const here = await openV2(mount, '0::/user\n');
    expect(here).toMatchObject({
      groups: undefined,
      fix: expect.stringContaining('systemd-run --user --scope -p Delegate=yes'),
    });
  });
});

describe('an owner', () => {
  test('is alive as long as its process, and no other with the same id', () => {
    const own = ownedName();
    expect(ownerIsAlive(own)).toBe(true);
    const [pid] = own.split('-');
    expect(ownerIsAlive(`${pid}-1-abc`)).toBe(false);
    expect(ownerIsAlive('4194305-1-abc')).toBe(false);
    expect(ownerIsAlive('no owner')).toBe(false);
  });
});
