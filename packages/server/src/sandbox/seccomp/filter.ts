/**
 * The seccomp filter of a guest: a program for the kernel's classic BPF machine, as
 * Documentation/userspace-api/seccomp_filter.rst of the kernel describes it.
 *
 *     wrong architecture (a 32-bit system call) → the process is killed
 *     x32 system call                           → ENOSYS
 *     denied                                    → EPERM
 *     clone with a new name space               → EPERM;   clone3 → ENOSYS (libraries fall back to clone)
 *     socket of an unusual family               → EAFNOSUPPORT
 *     personality, other than a query           → EPERM
 *     ioctl that types into a terminal          → EPERM
 *     anything else                             → allowed
 */
import { CONDITIONAL, DENIED, numberOf, type Architecture } from './syscalls.ts';

/** Instruction codes: load a word, jump if equal, if greater or equal, if a bit is set, return. */
const LOAD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_AT_LEAST = 0x35;
const JUMP_BITS = 0x45;
const RETURN = 0x06;

/** Offsets into struct seccomp_data; the low halves of the arguments on a little-endian machine. */
const NUMBER = 0;
const ARCHITECTURE = 4;
const argument = (index: number): number => 16 + 8 * index;

const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const errno = (code: number): number => 0x00050000 | code;
const EPERM = errno(1);
const ENOSYS = errno(38);
const EAFNOSUPPORT = errno(97);

/** AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64. */
const AUDIT: Readonly<Record<Architecture, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };
const X32_BIT = 0x40000000;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const NEW_NAMESPACES = 0x7e020000;
/** AF_UNIX, AF_INET, AF_INET6. What they reach is decided by the network name space. */
const FAMILIES = [1, 2, 10];
/** What is there, and the usual one. */
const PERSONALITIES = [0xffffffff, 0];
/** TIOCSTI and TIOCLINUX. */
const TERMINAL_IOCTLS = [0x5412, 0x541c];

/** One instruction: struct sock_filter. Jumps count from the next instruction. */
interface Instruction {
  readonly code: number;
  readonly k: number;
  readonly whenTrue: number;
  readonly whenFalse: number;
}

/** The filter for an architecture, as the bytes that `bwrap --seccomp` reads. */
export function seccompFilter(architecture: Architecture): Uint8Array {
  const number = (name: keyof typeof CONDITIONAL): number =>
    CONDITIONAL[name][architecture === 'x64' ? 0 : 1];
  const denied = Object.values(DENIED)
    .map((numbers) => numberOf(numbers, architecture))
    .filter((each) => each !== undefined);
  return assemble([
    load(ARCHITECTURE),
    jump(JUMP_EQUAL, AUDIT[architecture], 1, 0),
    answer(KILL_PROCESS),
    load(NUMBER),
    ...(architecture === 'x64' ? [jump(JUMP_AT_LEAST, X32_BIT, 0, 1), answer(ENOSYS)] : []),
    ...denied.flatMap((each) => [jump(JUMP_EQUAL, each, 0, 1), answer(EPERM)]),
    jump(JUMP_EQUAL, number('clone3'), 0, 1),
    answer(ENOSYS),
    ...when(number('clone'), 0, [
      jump(JUMP_BITS, NEW_NAMESPACES, 0, 1),
      answer(EPERM),
      answer(ALLOW),
    ]),
    ...when(number('socket'), 0, [...oneOf(FAMILIES, ALLOW), answer(EAFNOSUPPORT)]),
    ...when(number('personality'), 0, [...oneOf(PERSONALITIES, ALLOW), answer(EPERM)]),
    ...when(number('ioctl'), 1, [...oneOf(TERMINAL_IOCTLS, EPERM), answer(ALLOW)]),
    answer(ALLOW),
  ]);
}

function load(offset: number): Instruction {
  return { code: LOAD, k: offset, whenTrue: 0, whenFalse: 0 };
}

function jump(code: number, k: number, whenTrue: number, whenFalse: number): Instruction {
  return { code, k, whenTrue, whenFalse };
}

function answer(k: number): Instruction {
  return { code: RETURN, k, whenTrue: 0, whenFalse: 0 };
}

/** For one system call: looks at an argument. `rules` end in an answer. */
function when(number: number, index: number, rules: readonly Instruction[]): Instruction[] {
  return [jump(JUMP_EQUAL, number, 0, rules.length + 1), load(argument(index)), ...rules];
}

function oneOf(values: readonly number[], then: number): Instruction[] {
  return values.flatMap((value) => [jump(JUMP_EQUAL, value, 0, 1), answer(then)]);
}

function assemble(program: readonly Instruction[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(program.length * 8));
  for (const [at, { code, k, whenTrue, whenFalse }] of program.entries()) {
    view.setUint16(at * 8, code, true);
    view.setUint8(at * 8 + 2, whenTrue);
    view.setUint8(at * 8 + 3, whenFalse);
    view.setUint32(at * 8 + 4, k, true);
  }
  return new Uint8Array(view.buffer);
}
