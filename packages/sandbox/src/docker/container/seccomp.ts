/**
 * The system calls that a guest may make: an allow-list, narrower than Docker's own.
 *
 * Docker's default profile also lets an unprivileged guest make System V memory that outlives its
 * maker, message queues, and sockets of rarely used families, and allows `userfaultfd` or `io_uring`
 * on some versions. No compiler or interpreter needs them, and several have been ways out of a
 * container. A call that is not in the list fails with ENOSYS, for which the C library has a fallback.
 *
 * Names are libseccomp's; ones that an architecture lacks are skipped by the runtime.
 */
import {
  ADVICE,
  MEMORY_MERGE,
  SOCKET_BUFFERS,
  SOCKET_PROGRAMS,
  type Sockets,
} from '../../seccomp/filter.ts';
import { IGNORED, LISTENING } from '../../seccomp/syscalls.ts';

const FILES = `
access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl64 fdatasync fgetxattr
flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate
ftruncate64 futimesat getcwd getdents getdents64 getxattr
inotify_rm_watch ioctl lchown lgetxattr link linkat listxattr llistxattr lremovexattr lseek lsetxattr
lstat lstat64 mkdir mkdirat mknod mknodat newfstatat _llseek open openat pread64 preadv
pwrite64 pwritev read readlink readlinkat readv removexattr rename renameat renameat2
rmdir sendfile sendfile64 setxattr splice stat stat64 statfs statfs64 statx symlink symlinkat
tee truncate truncate64 umask unlink unlinkat utime utimensat utimes vmsplice
write writev`;

const MEMORY = `
brk membarrier memfd_create mlock mlock2 mlockall mmap mmap2 mprotect mremap msync
munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect get_mempolicy mseal`;

const PROCESSES = `
arch_prctl capget capset execve execveat exit exit_group fork futex futex_time64 futex_waitv
futex_wait futex_wake futex_requeue get_robust_list get_thread_area getcpu getegid getegid32 geteuid
geteuid32 getgid getgid32 getgroups getgroups32 getpgid getpgrp getpid getppid getpriority getresgid
getresgid32 getresuid getresuid32 getrlimit getrusage getsid gettid getuid getuid32 ioprio_get kill
pidfd_open pidfd_send_signal prlimit64 restart_syscall rseq sched_get_priority_max
sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield
set_robust_list set_thread_area set_tid_address setgid setgid32 setgroups setgroups32 setpgid
setpriority setresgid setresgid32 setresuid setresuid32 setrlimit setsid setuid setuid32 sysinfo
tgkill times tkill ugetrlimit uname vfork wait4 waitid waitpid`;

const SIGNALS_AND_TIME = `
alarm clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep
clock_nanosleep_time64 getitimer gettimeofday nanosleep pause rt_sigaction rt_sigpending rt_sigprocmask
rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo
setitimer sigaltstack signalfd signalfd4 sigreturn time timer_create timer_delete timer_getoverrun
timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime`;

const WAITING_AND_SOCKETS = `
accept accept4 connect epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait
eventfd eventfd2 getpeername getrandom getsockname getsockopt pipe pipe2 poll ppoll
ppoll_time64 pselect6 pselect6_time64 recv recvfrom recvmmsg recvmsg select _newselect send sendmmsg
sendmsg sendto shutdown`;

/** [family, type, protocol] of sockets, as in ../seccomp/filter.ts; an absent value allows any. */
const SOCKETS = {
  none: [[1]],
  list: [[1], [2, 1, 0], [2, 1, 6]],
  host: [[1], [2], [10]],
} as const satisfies Record<Sockets, readonly (readonly [number, number?, number?])[]>;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET: no new namespace in here. */
const CLONE_NAMESPACES = 0x7e020000;

/** PER_LINUX, PER_LINUX32, UNAME26 and the question what it is. */
const PERSONALITIES = [0, 8, 0x20000, 0xffffffff];

/** All fcntl commands below it are harmless; above it, only the listed ones are allowed. */
const FILE_MARKS_BEGIN = 1024;
/** F_GETLEASE, F_DUPFD_QUERY, F_CREATED_QUERY, F_CANCELLK, F_DUPFD_CLOEXEC, the sizes of pipes, seals. */
const MORE_FCNTL = [1025, 1027, 1028, 1029, 1030, 1031, 1032, 1033, 1034];
const SOL_SOCKET = 1;
/** More than there are options of SOL_SOCKET. */
const SOCKET_OPTIONS = 96;
const SOCKET_TYPE = 0xf;

const ENOSYS = 38;
const EPERM = 1;
const EACCES = 13;

type Comparison = readonly [index: number, op: string, value: number, valueTwo?: number];

/** The profile, as the Engine API takes it in `SecurityOpt`. */
export function seccompProfile(sockets: Sockets): string {
  const names = [FILES, MEMORY, PROCESSES, SIGNALS_AND_TIME, WAITING_AND_SOCKETS].flatMap((group) =>
    group.trim().split(/\s+/),
  );
  const rule = (action: object, name: string, ...comparisons: readonly Comparison[]): object => ({
    names: [name],
    ...action,
    args: comparisons.map(([index, op, value, valueTwo = 0]) => ({ index, op, value, valueTwo })),
  });
  const allow = (name: string, ...comparisons: readonly Comparison[]): object =>
    rule({ action: 'SCMP_ACT_ALLOW' }, name, ...comparisons);
  const is = (index: number, value: number): Comparison => [index, 'SCMP_CMP_EQ', value];
  const error = (errnoRet: number): object => ({ action: 'SCMP_ACT_ERRNO', errnoRet });
  const options = Array.from({ length: SOCKET_OPTIONS }, (_, option) => option);
  const pretended = sockets === 'list' ? SOCKET_BUFFERS : [];
  return JSON.stringify({
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: ENOSYS,
    syscalls: [
      { names, action: 'SCMP_ACT_ALLOW' },
      { names: Object.keys(IGNORED), ...error(0) },
      sockets === 'list'
        ? { names: Object.keys(LISTENING), ...error(EACCES) }
        : { names: Object.keys(LISTENING), action: 'SCMP_ACT_ALLOW' },
      ...SOCKETS[sockets].map(([family, type, protocol]) =>
        allow(
          'socket',
          is(0, family),
          ...(type === undefined || protocol === undefined
            ? []
            : [[1, 'SCMP_CMP_MASKED_EQ', SOCKET_TYPE, type] as const, is(2, protocol)]),
        ),
      ),
      allow('socketpair', is(0, 1)),
      allow('setsockopt', [1, 'SCMP_CMP_NE', SOL_SOCKET]),
      ...options
        .filter((option) => !SOCKET_PROGRAMS.includes(option) && !pretended.includes(option))
        .map((option) => allow('setsockopt', is(1, SOL_SOCKET), is(2, option))),
      ...pretended.map((option) => rule(error(0), 'setsockopt', is(1, SOL_SOCKET), is(2, option))),
      ...PERSONALITIES.map((personality) => allow('personality', is(0, personality))),
      allow('clone', [0, 'SCMP_CMP_MASKED_EQ', CLONE_NAMESPACES]),
      allow('fcntl', [1, 'SCMP_CMP_LT', FILE_MARKS_BEGIN]),
      ...MORE_FCNTL.map((command) => allow('fcntl', is(1, command))),
      ...ADVICE.map((advice) => allow('madvise', is(2, advice))),
      allow('prctl', [0, 'SCMP_CMP_NE', MEMORY_MERGE]),
      allow('preadv2', is(5, 0)),
      allow('pwritev2', is(5, 0)),
      // Its flags lie in memory, where a filter cannot see them: the C library falls back to clone.
      { names: ['clone3'], ...error(ENOSYS) },
      // A program that gets EPERM, and not ENOSYS, can report why it failed.
      { names: ['ptrace', 'mount', 'umount2', 'chroot', 'unshare', 'setns'], ...error(EPERM) },
    ],
  });
}
