/**
 * The system calls that a guest may make: an allow-list, narrower than Docker's own.
 *
 * Docker's default profile also lets an unprivileged guest make System V memory that outlives its
 * maker, message queues, and sockets of rarely used families, and allows `userfaultfd` or `io_uring`
 * on some versions. No compiler or interpreter needs them, and several have been ways out of a
 * container. A call that is not in the list fails with ENOSYS, for which the C library has a fallback.
 *
 * Names are those of libseccomp; ones that an architecture lacks are skipped by the runtime.
 */

const FILES = `
access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fcntl64 fdatasync fgetxattr
flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate
ftruncate64 futimesat getcwd getdents getdents64 getxattr inotify_add_watch inotify_init inotify_init1
inotify_rm_watch ioctl lchown lgetxattr link linkat listxattr llistxattr lremovexattr lseek lsetxattr
lstat lstat64 mkdir mkdirat mknod mknodat newfstatat _llseek open openat openat2 pread64 preadv preadv2
pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr rename renameat renameat2
rmdir sendfile sendfile64 setxattr splice stat stat64 statfs statfs64 statx symlink symlinkat sync
sync_file_range syncfs tee truncate truncate64 umask unlink unlinkat utime utimensat utimes vmsplice
write writev`;

const MEMORY = `
brk madvise membarrier memfd_create mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap msync
munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect get_mempolicy mseal`;

const PROCESSES = `
arch_prctl capget capset execve execveat exit exit_group fork futex futex_time64 futex_waitv
futex_wait futex_wake futex_requeue get_robust_list get_thread_area getcpu getegid getegid32 geteuid
geteuid32 getgid getgid32 getgroups getgroups32 getpgid getpgrp getpid getppid getpriority getresgid
getresgid32 getresuid getresuid32 getrlimit getrusage getsid gettid getuid getuid32 ioprio_get kill
pidfd_open pidfd_send_signal prctl prlimit64 restart_syscall rseq sched_get_priority_max
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
accept accept4 bind connect epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait
eventfd eventfd2 getpeername getrandom getsockname getsockopt listen pipe pipe2 poll ppoll
ppoll_time64 pselect6 pselect6_time64 recv recvfrom recvmmsg recvmsg select _newselect send sendmmsg
sendmsg sendto setsockopt shutdown socketpair`;

/** AF_UNIX, AF_INET, AF_INET6. Not AF_ALG, AF_VSOCK, AF_PACKET, AF_NETLINK. */
const SOCKET_FAMILIES = [1, 2, 10];

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET: no new namespace in here. */
const CLONE_NAMESPACES = 0x7e020000;

/** PER_LINUX, PER_LINUX32, UNAME26 and the question what it is. */
const PERSONALITIES = [0, 8, 0x20000, 0xffffffff];

const ENOSYS = 38;
const EPERM = 1;

/** The profile, as the Engine API takes it in `SecurityOpt`. */
export function seccompProfile(): string {
  const names = [FILES, MEMORY, PROCESSES, SIGNALS_AND_TIME, WAITING_AND_SOCKETS].flatMap((group) =>
    group.trim().split(/\s+/),
  );
  const allow = (name: string, index: number, value: number, op: string, valueTwo = 0): object => ({
    names: [name],
    action: 'SCMP_ACT_ALLOW',
    args: [{ index, value, valueTwo, op }],
  });
  return JSON.stringify({
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: ENOSYS,
    syscalls: [
      { names, action: 'SCMP_ACT_ALLOW' },
      ...SOCKET_FAMILIES.map((family) => allow('socket', 0, family, 'SCMP_CMP_EQ')),
      ...PERSONALITIES.map((personality) => allow('personality', 0, personality, 'SCMP_CMP_EQ')),
      allow('clone', 0, CLONE_NAMESPACES, 'SCMP_CMP_MASKED_EQ'),
      // Its flags lie in memory, where a filter cannot see them: the C library falls back to clone.
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
      // Programs that are told so, and not that the call is unknown, say why they failed.
      {
        names: ['ptrace', 'mount', 'umount2', 'chroot', 'unshare', 'setns'],
        action: 'SCMP_ACT_ERRNO',
        errnoRet: EPERM,
      },
    ],
  });
}
