/**
 * The seccomp filter of a guest: a program for the kernel's classic BPF machine, as
 * Documentation/userspace-api/seccomp_filter.rst of the kernel describes it.
 *
 *     wrong architecture (a 32-bit system call) → the process is killed
 *     x32 system call                           → ENOSYS
 *     denied                                    → EPERM;   absent → ENOSYS;   ignored → success
 *     clone with a new name space               → EPERM
 *     socket of a family that is not allowed    → EAFNOSUPPORT
 *     bind, listen, with a list of addresses    → EACCES
 *     personality, other than a query           → EPERM
 *     ioctl that types into a terminal          → EPERM
 *     fcntl that watches or marks a file        → EINVAL
 *     madvise that moves or compares pages      → EINVAL
 *     preadv2, pwritev2 with flags              → EOPNOTSUPP
 *     setsockopt that attaches a program        → EPERM
 *     anything else                             → allowed
 *
 * Without a network only AF_UNIX can be opened: its buffers are charged to the process that fills
 * them, while control groups of version 1 do not count buffers of TCP and UDP. With an address list
 * there is also TCP over IPv4, to the proxy. No program can bind or listen then, so a guest has no
 * more connections than the proxy accepts, and their buffers are bounded by the settings of the
 * network (listener.ts).
 */
import type { NetworkPolicy } from '../contract.ts';
import {
  ABSENT,
  CONDITIONAL,
  DENIED,
  IGNORED,
  LISTENING,
  numberOf,
  type Architecture,
} from './syscalls.ts';

/** The network of the guests of a session: decides which sockets they may open. */
export type Sockets = 'none' | 'list' | 'host';

/** @param network of the session. */
export function socketsOf(network: NetworkPolicy): Sockets {
  return typeof network === 'string' ? network : 'list';
}

/** Instruction codes: load a word, keep some bits of it, jump if equal, if greater or equal, if a bit is set, return. */
const LOAD = 0x20;
const AND = 0x54;
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
const SUCCESS = errno(0);
const EPERM = errno(1);
const EACCES = errno(13);
const EINVAL = errno(22);
const ENOSYS = errno(38);
const EOPNOTSUPP = errno(95);
const EAFNOSUPPORT = errno(97);

/** AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64. */
const AUDIT: Readonly<Record<Architecture, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };
const X32_BIT = 0x40000000;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const NEW_NAMESPACES = 0x7e020000;
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
/** Without SOCK_NONBLOCK and SOCK_CLOEXEC. */
const SOCKET_TYPE = 0xf;
/** The default, and IPPROTO_TCP: neither MPTCP nor SCTP. */
const TCP = [0, 6];
const SOL_SOCKET = 1;
/** SO_ATTACH_FILTER, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF and _EBPF: programs for the kernel. */
export const SOCKET_PROGRAMS = [26, 50, 51, 52];
/**
 * SO_SNDBUF and SO_RCVBUF: where buffers have a bound, a request for more succeeds without effect.
 */
export const SOCKET_BUFFERS = [7, 8];
/**
 * F_SETLEASE, F_NOTIFY, and the lifetime hints of a file, which all processes that have it open
 * share.
 */
export const FILE_MARKS = [1024, 1026, 1035, 1036, 1037, 1038];
/**
 * Advice that allocators and debuggers use. Not MADV_WILLNEED, MADV_COLD, MADV_PAGEOUT and
 * MADV_COLLAPSE, which move pages of files that other processes see too, nor MADV_MERGEABLE, which
 * reveals whether another process has equal pages.
 */
export const ADVICE = [0, 1, 2, 4, 8, 9, 10, 11, 14, 15, 16, 17, 18, 19, 22, 23, 24];
/** PR_SET_MEMORY_MERGE: MADV_MERGEABLE for all of a process. */
export const MEMORY_MERGE = 67;
/** The query, and the usual personality. */
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
export function seccompFilter(architecture: Architecture, sockets: Sockets): Uint8Array {
  const number = (name: keyof typeof CONDITIONAL): number =>
    CONDITIONAL[name][architecture === 'x64' ? 0 : 1];
  const each = (table: typeof DENIED, then: number): Instruction[] =>
    Object.values(table)
      .map((numbers) => numberOf(numbers, architecture))
      .filter((found) => found !== undefined)
      .flatMap((found) => [jump(JUMP_EQUAL, found, 0, 1), answer(then)]);
  const buffers = sockets === 'list' ? oneOf(SOCKET_BUFFERS, SUCCESS) : [];
  return assemble([
    load(ARCHITECTURE),
    jump(JUMP_EQUAL, AUDIT[architecture], 1, 0),
    answer(KILL_PROCESS),
    load(NUMBER),
    ...(architecture === 'x64' ? [jump(JUMP_AT_LEAST, X32_BIT, 0, 1), answer(ENOSYS)] : []),
    ...each(DENIED, EPERM),
    ...each(ABSENT, ENOSYS),
    ...each(IGNORED, SUCCESS),
    ...(sockets === 'list' ? each(LISTENING, EACCES) : []),
    ...when(number('clone'), 0, [
      jump(JUMP_BITS, NEW_NAMESPACES, 0, 1),
      answer(EPERM),
      answer(ALLOW),
    ]),
    ...when(number('socket'), 0, [...socketRules(sockets), answer(EAFNOSUPPORT)]),
    ...when(number('socketpair'), 0, [...oneOf([AF_UNIX], ALLOW), answer(EAFNOSUPPORT)]),
    ...when(number('setsockopt'), 1, [
      jump(JUMP_EQUAL, SOL_SOCKET, 1, 0),
      answer(ALLOW),
      load(argument(2)),
      ...oneOf(SOCKET_PROGRAMS, EPERM),
      ...buffers,
      answer(ALLOW),
    ]),
    ...when(number('personality'), 0, [...oneOf(PERSONALITIES, ALLOW), answer(EPERM)]),
    ...when(number('ioctl'), 1, [...oneOf(TERMINAL_IOCTLS, EPERM), answer(ALLOW)]),
    ...when(number('fcntl'), 1, [...oneOf(FILE_MARKS, EINVAL), answer(ALLOW)]),
    ...when(number('madvise'), 2, [...oneOf(ADVICE, ALLOW), answer(EINVAL)]),
    ...when(number('prctl'), 0, [...oneOf([MEMORY_MERGE], EINVAL), answer(ALLOW)]),
    ...when(number('preadv2'), 5, [...oneOf([0], ALLOW), answer(EOPNOTSUPP)]),
    ...when(number('pwritev2'), 5, [...oneOf([0], ALLOW), answer(EOPNOTSUPP)]),
    answer(ALLOW),
  ]);
}

/** With the family loaded; falls through when a socket is not allowed. */
function socketRules(sockets: Sockets): Instruction[] {
  if (sockets === 'none') return oneOf([AF_UNIX], ALLOW);
  // The network name space decides what they reach.
  if (sockets === 'host') return oneOf([AF_UNIX, AF_INET, AF_INET6], ALLOW);
  const tcp = [load(argument(2)), ...oneOf(TCP, ALLOW)];
  const stream = [
    load(argument(1)),
    { ...load(SOCKET_TYPE), code: AND },
    jump(JUMP_EQUAL, SOCK_STREAM, 0, tcp.length),
    ...tcp,
  ];
  return [...oneOf([AF_UNIX], ALLOW), jump(JUMP_EQUAL, AF_INET, 0, stream.length), ...stream];
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

/** For one system call: checks an argument. `rules` end in an answer. */
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
