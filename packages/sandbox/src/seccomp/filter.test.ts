import { Buffer } from 'node:buffer';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ADVICE, seccompFilter, type Sockets } from './filter.ts';
import {
  ABSENT,
  CONDITIONAL,
  DENIED,
  IGNORED,
  LISTENING,
  numberOf,
  type Architecture,
  type Numbers,
} from './syscalls.ts';

const ALL: Readonly<Record<string, Numbers>> = {
  ...DENIED,
  ...ABSENT,
  ...IGNORED,
  ...LISTENING,
  ...CONDITIONAL,
};

/** Runs a filter like the kernel's BPF machine: a second, naive interpreter of the same bytes. */
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
    else if (code === 0x54) accumulator = (accumulator & k) >>> 0;
    else if (code === 0x15) at += 8 * jump(accumulator === k);
    else if (code === 0x35) at += 8 * jump(accumulator >= k);
    else if (code === 0x45) at += 8 * jump((accumulator & k) !== 0);
    else if (code === 0x06) return k.toString(16);
    else throw new Error(`code ${code}`);
  }
  throw new Error('the program has no end');
}

const ALLOWED = '7fff0000';
const SUCCESS = '50000';
const EPERM = '50001';
const EACCES = '5000d';
const EINVAL = '50016';
const ENOSYS = '50026';
const EOPNOTSUPP = '5005f';
const EAFNOSUPPORT = '50061';
const KILLED = '80000000';
const AUDIT = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;

describe.each(['x64', 'arm64'] as const)('the filter for %s', (architecture: Architecture) => {
  const filters = {
    none: seccompFilter(architecture, 'none'),
    list: seccompFilter(architecture, 'list'),
    host: seccompFilter(architecture, 'host'),
  };
  const filter = filters.none;
  const arch = AUDIT[architecture];
  const askOf = (sockets: Sockets, name: string, ...args: number[]): string =>
    evaluate(filters[sockets], { arch, nr: numberOf(ALL[name]!, architecture) ?? -1, args });
  const ask = (name: string, ...args: number[]): string => askOf('none', name, ...args);

  test('answers listed calls, and allows all others', () => {
    const answers = new Map<number | undefined, string>();
    for (const [table, answer] of [
      [DENIED, EPERM],
      [ABSENT, ENOSYS],
      [IGNORED, SUCCESS],
    ] as const) {
      for (const numbers of Object.values(table)) {
        answers.set(numberOf(numbers, architecture), answer);
      }
    }
    const conditional = new Set<number>(
      Object.values(CONDITIONAL).map((numbers) => numbers[architecture === 'x64' ? 0 : 1]),
    );
    for (let nr = 0; nr < 600; nr++) {
      if (conditional.has(nr)) continue;
      expect(evaluate(filter, { arch, nr }), String(nr)).toBe(answers.get(nr) ?? ALLOWED);
    }
  });

  test('kills calls of another architecture', () => {
    for (const other of [0x40000003, 0x40000028, arch === AUDIT.x64 ? AUDIT.arm64 : AUDIT.x64]) {
      expect(evaluate(filter, { arch: other, nr: 1 })).toBe(KILLED);
    }
  });

  test('checks arguments', () => {
    expect(ask('clone', 0x003d0f00)).toBe(ALLOWED);
    for (const flag of [
      0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
    ]) {
      expect(ask('clone', 0x11 | flag)).toBe(EPERM);
    }
    expect(ask('clone3')).toBe(ENOSYS);
    expect(ask('socketpair', 1)).toBe(ALLOWED);
    expect(ask('socketpair', 2)).toBe(EAFNOSUPPORT);
    expect(ask('personality', 0xffffffff)).toBe(ALLOWED);
    expect(ask('personality', 0)).toBe(ALLOWED);
    expect(ask('personality', 0x0040000)).toBe(EPERM);
    expect(ask('ioctl', 0, 0x5413)).toBe(ALLOWED);
    expect(ask('ioctl', 0, 0x5412)).toBe(EPERM);
    for (const option of [26, 50, 51, 52]) expect(ask('setsockopt', 0, 1, option)).toBe(EPERM);
    expect(ask('setsockopt', 0, 1, 7)).toBe(ALLOWED);
    expect(ask('setsockopt', 0, 6, 26)).toBe(ALLOWED);
  });

  test('refuses calls that read or change the cached pages and the watchers of a file', () => {
    for (const command of [0, 6, 7, 1030, 1031]) expect(ask('fcntl', 0, command)).toBe(ALLOWED);
    for (const command of [1024, 1026, 1036]) expect(ask('fcntl', 0, command)).toBe(EINVAL);
    for (const advice of ADVICE) expect(ask('madvise', 0, 0, advice)).toBe(ALLOWED);
    for (const advice of [3, 12, 20, 21, 25]) expect(ask('madvise', 0, 0, advice)).toBe(EINVAL);
    expect(ask('prctl', 67)).toBe(EINVAL);
    expect(ask('prctl', 38)).toBe(ALLOWED);
    for (const name of ['preadv2', 'pwritev2'] as const) {
      expect(ask(name, 0, 0, 0, 0, 0, 0)).toBe(ALLOWED);
      expect(ask(name, 0, 0, 0, 0, 0, 8)).toBe(EOPNOTSUPP);
    }
  });

  test('opens the sockets that the network of the session has', () => {
    const opens = (sockets: Sockets, ...args: number[]): boolean => {
      const answer = askOf(sockets, 'socket', ...args);
      expect([ALLOWED, EAFNOSUPPORT]).toContain(answer);
      return answer === ALLOWED;
    };
    const [STREAM, DATAGRAM, NONBLOCK] = [1, 2, 0x800];
    for (const sockets of ['none', 'list', 'host'] as const) {
      for (const type of [STREAM, DATAGRAM, 5]) expect(opens(sockets, 1, type)).toBe(true);
      for (const family of [0, 16, 17, 38, 40]) expect(opens(sockets, family, 1)).toBe(false);
      expect(opens(sockets, 2, STREAM | NONBLOCK, 6)).toBe(sockets !== 'none');
      expect(opens(sockets, 2, DATAGRAM)).toBe(sockets === 'host');
      // MPTCP and SCTP.
      for (const odd of [262, 132]) expect(opens(sockets, 2, STREAM, odd)).toBe(sockets === 'host');
      expect(opens(sockets, 10, STREAM)).toBe(sockets === 'host');
      for (const name of ['bind', 'listen'] as const) {
        expect(askOf(sockets, name)).toBe(sockets === 'list' ? EACCES : ALLOWED);
      }
      expect(askOf(sockets, 'setsockopt', 0, 1, 8)).toBe(sockets === 'list' ? SUCCESS : ALLOWED);
    }
  });

  test('is within the size that the kernel accepts', () => {
    expect(filter.length % 8).toBe(0);
    expect(filter.length / 8).toBeLessThanOrEqual(4096);
  });
});

test('x32 calls do not exist', () => {
  const filter = seccompFilter('x64', 'none');
  expect(evaluate(filter, { arch: AUDIT.x64, nr: 0x40000000 | 59 })).toBe(ENOSYS);
  expect(evaluate(filter, { arch: AUDIT.x64, nr: 0x40000000 | 41, args: [2, 1, 0] })).toBe(ENOSYS);
  expect(evaluate(filter, { arch: AUDIT.x64, nr: 0x3fffffff })).toBe(ALLOWED);
});

const HEADER = '/usr/include/x86_64-linux-gnu/asm/unistd_64.h';
test.runIf(existsSync(HEADER))('the numbers of x86_64 equal the kernel’s header', () => {
  const header = readFileSync(HEADER, 'latin1');
  for (const [name, [number]] of Object.entries(ALL)) {
    const found = new RegExp(`^#define __NR_${name}\\s+(\\d+)$`, 'm').exec(header)?.[1];
    expect([name, found]).toEqual([name, number === undefined ? undefined : String(number)]);
  }
});

const GENERIC = '/usr/include/asm-generic/unistd.h';
const canPreprocess = existsSync(GENERIC) && spawnSync('cpp', ['--version']).status === 0;
test.runIf(canPreprocess)('the numbers of aarch64 equal the kernel’s header', () => {
  const names = Object.entries(ALL);
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
