import { Buffer } from 'node:buffer';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { seccompFilter } from './filter.ts';
import { CONDITIONAL, DENIED, numberOf, type Architecture } from './syscalls.ts';

/** What the kernel's BPF machine makes of a filter: a second, naive reading of the same bytes. */
function evaluate(filter: Uint8Array, call: { arch: number; nr: number; args?: number[] }): string {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, call.nr, true);
  data.setUint32(4, call.arch, true);
  for (const [index, argument] of (call.args ?? []).entries()) {
    data.setUint32(16 + 8 * index, argument >>> 0, true);
  }
  const program = new DataView(filter.buffer);
  let accumulator = 0;
  for (let at = 0; at < filter.length; at += 8) {
    const code = program.getUint16(at, true);
    const k = program.getUint32(at + 4, true);
    const jump = (condition: boolean): number => program.getUint8(at + (condition ? 2 : 3));
    if (code === 0x20) accumulator = data.getUint32(k, true);
    else if (code === 0x15) at += 8 * jump(accumulator === k);
    else if (code === 0x35) at += 8 * jump(accumulator >= k);
    else if (code === 0x45) at += 8 * jump((accumulator & k) !== 0);
    else if (code === 0x06) return k.toString(16);
    else throw new Error(`code ${code}`);
  }
  throw new Error('the program has no end');
}

const ALLOWED = '7fff0000';
const EPERM = '50001';
const ENOSYS = '50026';
const EAFNOSUPPORT = '50061';
const KILLED = '80000000';
const AUDIT = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;

describe.each(['x64', 'arm64'] as const)('the filter for %s', (architecture: Architecture) => {
  const filter = seccompFilter(architecture);
  const arch = AUDIT[architecture];
  const ask = (name: keyof typeof CONDITIONAL, ...args: number[]): string =>
    evaluate(filter, { arch, nr: CONDITIONAL[name][architecture === 'x64' ? 0 : 1], args });

  test('denies what is listed, and allows everything else', () => {
    const denied = new Set(Object.values(DENIED).map((numbers) => numberOf(numbers, architecture)));
    const conditional = new Set<number>(
      Object.values(CONDITIONAL).map((numbers) => numbers[architecture === 'x64' ? 0 : 1]),
    );
    for (let nr = 0; nr < 600; nr++) {
      if (conditional.has(nr)) continue;
      expect(evaluate(filter, { arch, nr }), String(nr)).toBe(denied.has(nr) ? EPERM : ALLOWED);
    }
  });

  test('kills calls of another architecture', () => {
    for (const other of [0x40000003, 0x40000028, arch === AUDIT.x64 ? AUDIT.arm64 : AUDIT.x64]) {
      expect(evaluate(filter, { arch: other, nr: 1 })).toBe(KILLED);
    }
  });

  test('looks at arguments', () => {
    expect(ask('clone', 0x003d0f00)).toBe(ALLOWED);
    for (const flag of [
      0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
    ]) {
      expect(ask('clone', 0x11 | flag)).toBe(EPERM);
    }
    expect(ask('clone3')).toBe(ENOSYS);
    for (const family of [1, 2, 10]) expect(ask('socket', family)).toBe(ALLOWED);
    for (const family of [0, 16, 17, 38, 40]) expect(ask('socket', family)).toBe(EAFNOSUPPORT);
    expect(ask('personality', 0xffffffff)).toBe(ALLOWED);
    expect(ask('personality', 0)).toBe(ALLOWED);
    expect(ask('personality', 0x0040000)).toBe(EPERM);
    expect(ask('ioctl', 0, 0x5413)).toBe(ALLOWED);
    expect(ask('ioctl', 0, 0x5412)).toBe(EPERM);
  });

  test('is within what the kernel takes', () => {
    expect(filter.length % 8).toBe(0);
    expect(filter.length / 8).toBeLessThanOrEqual(4096);
  });
});

test('x32 calls are none', () => {
  expect(evaluate(seccompFilter('x64'), { arch: AUDIT.x64, nr: 0x40000000 | 59 })).toBe(ENOSYS);
  expect(evaluate(seccompFilter('x64'), { arch: AUDIT.x64, nr: 0x3fffffff })).toBe(ALLOWED);
});

const HEADER = '/usr/include/x86_64-linux-gnu/asm/unistd_64.h';
test.runIf(existsSync(HEADER))('the numbers of x86_64 are those of the kernel’s header', () => {
  const header = readFileSync(HEADER, 'latin1');
  for (const [name, [number]] of Object.entries({ ...DENIED, ...CONDITIONAL })) {
    const found = new RegExp(`^#define __NR_${name}\\s+(\\d+)$`, 'm').exec(header)?.[1];
    expect([name, found]).toEqual([name, number === undefined ? undefined : String(number)]);
  }
});

const GENERIC = '/usr/include/asm-generic/unistd.h';
const canPreprocess = existsSync(GENERIC) && spawnSync('cpp', ['--version']).status === 0;
test.runIf(canPreprocess)('the numbers of aarch64 are those of the kernel’s header', () => {
  const names = Object.entries({ ...DENIED, ...CONDITIONAL });
  const source = [
    '#define __BITS_PER_LONG 64',
    '#define __ARCH_WANT_SYS_CLONE3',
    '#define __ARCH_WANT_MEMFD_SECRET',
    `#include <asm-generic/unistd.h>`,
    ...names.map(([name]) => `= ${name} __NR_${name}`),
  ].join('\n');
  const { stdout } = spawnSync('cpp', ['-P'], { input: Buffer.from(source) });
  const found = new Map(
    stdout
      .toString()
      .split('\n')
      .filter((line) => line.startsWith('= '))
      .map((line) => line.slice(2).split(' ') as [string, string]),
  );
  for (const [name, [, number]] of names) {
    expect([name, found.get(name)]).toEqual([
      name,
      number === undefined ? `__NR_${name}` : String(number),
    ]);
  }
});
