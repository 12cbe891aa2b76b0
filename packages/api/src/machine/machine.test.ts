import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import {
  freeWithinBounds,
  readLimits,
  usableCoresOf,
  usableMemory,
  usableThreads,
} from './machine.ts';

const MIB = 2 ** 20;

let root: string;
beforeEach(() => (root = testFolder()));

/** Files by their paths below the root, with the text that the kernel has in them. */
function files(texts: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(texts)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${text}\n`);
  }
}

const V2 = '29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw';
const V1 = (shown = '/') =>
  [
    `35 23 0:30 ${shown} /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct`,
    `36 23 0:31 ${shown} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory`,
    '38 23 0:33 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw',
  ].join('\n');

describe('the bounds of control groups', () => {
  it('apply to the container in version 2, whose root is its own', () => {
    files({
      'proc/self/mountinfo': V2,
      'proc/self/cgroup': '0::/',
      'proc/self/status': 'Name:\tnode\nCpus_allowed_list:\t0-3,8',
      'sys/fs/cgroup/cpu.max': '50000 100000',
      'sys/fs/cgroup/memory.max': String(300 * MIB),
      'sys/fs/cgroup/memory.high': 'max',
    });
    expect(readLimits(root)).toEqual({ cores: 0.5, memoryBytes: 300 * MIB, allowedCores: 5 });
  });

  it.each([
    ['the inner', '30000 20000', '268435456', '400000 100000', '1073741824'],
    ['the outer', 'max 100000', 'max', '150000 100000', '268435456'],
  ])('are the smallest of a path in version 2: %s', (_, cpu, memory, outerCpu, outerMemory) => {
    files({
      'proc/self/mountinfo': V2,
      'proc/self/cgroup': '0::/pods/one/main',
      'sys/fs/cgroup/pods/one/main/cpu.max': cpu,
      'sys/fs/cgroup/pods/one/main/memory.max': memory,
      // The group between them bounds nothing, and the root has no such files.
      'sys/fs/cgroup/pods/one/memory.max': 'max',
      'sys/fs/cgroup/pods/cpu.max': outerCpu,
      'sys/fs/cgroup/pods/memory.max': outerMemory,
      'sys/fs/cgroup/other/cpu.max': '1000 100000',
    });
    expect(readLimits(root)).toMatchObject({ cores: 1.5, memoryBytes: 256 * MIB });
  });

  it('count where memory is throttled as well as where it ends', () => {
    files({
      'proc/self/mountinfo': V2,
      'proc/self/cgroup': '0::/a',
      'sys/fs/cgroup/a/memory.max': String(512 * MIB),
      'sys/fs/cgroup/a/memory.high': String(400 * MIB),
    });
    expect(readLimits(root).memoryBytes).toBe(400 * MIB);
  });

  const bounded = (folder: string): Record<string, string> => ({
    [`sys/fs/cgroup/cpu,cpuacct/${folder}cpu.cfs_quota_us`]: '25000',
    [`sys/fs/cgroup/cpu,cpuacct/${folder}cpu.cfs_period_us`]: '100000',
    [`sys/fs/cgroup/memory/${folder}memory.limit_in_bytes`]: String(300 * MIB),
  });
  const unbounded = (folder: string): Record<string, string> => ({
    [`sys/fs/cgroup/cpu,cpuacct/${folder}cpu.cfs_quota_us`]: '-1',
    [`sys/fs/cgroup/cpu,cpuacct/${folder}cpu.cfs_period_us`]: '100000',
    [`sys/fs/cgroup/memory/${folder}memory.limit_in_bytes`]: '9223372036854771712',
  });
  const OWN = '4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n0::/';

  it.each([
    ['with the host mounted', V1(), { ...bounded('docker/'), ...unbounded('docker/abc/') }],
    ['with its own group mounted, by the path of the host', V1('/docker/abc'), bounded('')],
    ['with a group above its own mounted', V1('/docker'), { ...unbounded(''), ...bounded('abc/') }],
  ])('are found in version 1 %s', (_, mountinfo, texts) => {
    files({ 'proc/self/mountinfo': mountinfo, 'proc/self/cgroup': OWN, ...texts });
    expect(readLimits(root)).toMatchObject({ cores: 0.25, memoryBytes: 300 * MIB });
  });

  it('are read nowhere but below the mount', () => {
    files({
      'proc/self/mountinfo': V2,
      'proc/self/cgroup': '0::/../../elsewhere',
      'sys/elsewhere/cpu.max': '1000 100000',
      'elsewhere/cpu.max': '1000 100000',
      'sys/fs/cgroup/cpu.max': '70000 100000',
    });
    expect(readLimits(root).cores).toBe(0.7);
  });

  it('do not exist without a bound, nor without control groups', () => {
    const none = { cores: undefined, memoryBytes: undefined, allowedCores: undefined };
    expect(readLimits(root)).toEqual(none);
    files({
      'proc/self/mountinfo': V2,
      'proc/self/cgroup': '0::/a',
      'sys/fs/cgroup/a/cpu.max': 'max 100000',
      'sys/fs/cgroup/a/memory.max': 'max',
    });
    expect(readLimits(root)).toEqual(none);
  });
});

describe('memory that the bounds leave free', () => {
  const stat = (prefix: string) =>
    `anon 1000\nfile 900\n${prefix}inactive_file ${200 * MIB}\n${prefix}active_file ${100 * MIB}`;

  it('includes the cached pages of files in version 2, and is the least of a path', () => {
    files({
      'proc/self/mountinfo': V2,
      'proc/self/cgroup': '0::/pods/one',
      'sys/fs/cgroup/pods/one/memory.max': 'max',
      'sys/fs/cgroup/pods/memory.max': String(512 * MIB),
      'sys/fs/cgroup/pods/memory.current': String(500 * MIB),
      'sys/fs/cgroup/pods/memory.stat': stat(''),
    });
    expect(freeWithinBounds(root)).toBe(312 * MIB);
  });

  it('includes the pages of all groups below in version 1', () => {
    files({
      'proc/self/mountinfo': V1(),
      'proc/self/cgroup': '4:memory:/a',
      'sys/fs/cgroup/memory/a/memory.limit_in_bytes': String(512 * MIB),
      'sys/fs/cgroup/memory/a/memory.usage_in_bytes': String(512 * MIB),
      'sys/fs/cgroup/memory/a/memory.stat': `inactive_file 5\n${stat('total_')}`,
    });
    expect(freeWithinBounds(root)).toBe(300 * MIB);
  });

  it('does not exist without a bound', () => {
    expect(freeWithinBounds(root)).toBeUndefined();
  });
});

describe('what is usable', () => {
  const limits = (cores?: number, memoryBytes?: number, allowedCores?: number) => ({
    cores,
    memoryBytes,
    allowedCores,
  });

  it('is the least memory that anything bounds', () => {
    const total = 1000 * MIB;
    expect(usableMemory(limits(), total, 0)).toBe(total);
    expect(usableMemory(limits(), total, 2 ** 64)).toBe(total);
    expect(usableMemory(limits(undefined, 2 ** 63), total, 0)).toBe(total);
    expect(usableMemory(limits(undefined, 300 * MIB), total, 2 ** 64)).toBe(300 * MIB);
    expect(usableMemory(limits(undefined, 300 * MIB), total, 200 * MIB)).toBe(200 * MIB);
  });

  it('is a quota in fractions, and never more than the cores that may be chosen', () => {
    expect(usableCoresOf(limits(), 4)).toBe(4);
    // Node reports 1 where one and a half can be used.
    expect(usableCoresOf(limits(1.5, undefined, 4), 1)).toBe(1.5);
    expect(usableCoresOf(limits(1 / 3, undefined, 4), 1)).toBe(0.333);
    expect(usableCoresOf(limits(8, undefined, 2), 2)).toBe(2);
    expect(usableCoresOf(limits(0.0001, undefined, 2), 1)).toBe(0.001);
  });

  it('is one thread at least', () => {
    expect(usableThreads()).toBeGreaterThanOrEqual(1);
    expect(Number.isInteger(usableThreads())).toBe(true);
  });
});
