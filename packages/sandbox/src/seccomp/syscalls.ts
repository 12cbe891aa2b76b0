/**
 * System calls that a guest may not make, whatever its privileges: names, with their numbers on
 * x86_64 (asm/unistd_64.h) and aarch64 (asm-generic/unistd.h). A test compares the numbers with the
 * kernel's headers.
 *
 * The list follows the one that container engines deny without capabilities. A guest has no
 * capabilities here, so most of these fail anyway; they are denied because they have had bugs.
 */

export type Architecture = 'x64' | 'arm64';

/** [x86_64, aarch64]; undefined where the architecture does not have it. */
export type Numbers = readonly [x64: number | undefined, arm64: number | undefined];

/** Denied with EPERM. */
export const DENIED: Readonly<Record<string, Numbers>> = {
  // Name spaces and mounts: the ways out of a sandbox, and into a second one.
  chroot: [161, 51],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fsopen: [430, 430],
  fspick: [433, 433],
  mount: [165, 40],
  mount_setattr: [442, 442],
  move_mount: [429, 429],
  open_tree: [428, 428],
  pivot_root: [155, 41],
  setns: [308, 268],
  umount2: [166, 39],
  unshare: [272, 97],
  // Other processes.
  kcmp: [312, 272],
  pidfd_getfd: [438, 438],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  ptrace: [101, 117],
  // Keys are not in a name space.
  add_key: [248, 217],
  keyctl: [250, 219],
  request_key: [249, 218],
  // Large and young parts of the kernel.
  bpf: [321, 280],
  fanotify_init: [300, 262],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  io_uring_setup: [425, 425],
  memfd_secret: [447, 447],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  // Which pages of a file are in memory reveals what other processes read before.
  mincore: [27, 232],
  process_madvise: [440, 440],
  // Files by handle are found outside of the guest's root.
  name_to_handle_at: [303, 264],
  open_by_handle_at: [304, 265],
  // The machine.
  acct: [163, 89],
  clock_adjtime: [305, 266],
  clock_settime: [227, 112],
  delete_module: [176, 106],
  finit_module: [313, 273],
  init_module: [175, 105],
  ioperm: [173, undefined],
  iopl: [172, undefined],
  kexec_file_load: [320, 294],
  kexec_load: [246, 104],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  reboot: [169, 142],
  setdomainname: [171, 162],
  sethostname: [170, 161],
  settimeofday: [164, 170],
  swapoff: [168, 225],
  swapon: [167, 224],
  syslog: [103, 116],
  vhangup: [153, 58],
  // Memory of other nodes of the machine.
  mbind: [237, 235],
  migrate_pages: [256, 238],
  move_pages: [279, 239],
  set_mempolicy: [238, 237],
  set_mempolicy_home_node: [450, 450],
  // Obsolete.
  _sysctl: [156, undefined],
  lookup_dcookie: [212, 18],
  modify_ldt: [154, undefined],
  nfsservctl: [180, 42],
  sysfs: [139, undefined],
  uselib: [134, undefined],
  ustat: [136, undefined],
};

/** Denied with ENOSYS, for which programs and libraries have a fallback. */
export const ABSENT: Readonly<Record<string, Numbers>> = {
  // Which pages of a file are in memory, and which paths are known without reading the disk.
  cachestat: [451, 451],
  openat2: [437, 437],
  // Events of files that sessions share.
  inotify_add_watch: [254, 27],
  inotify_init: [253, undefined],
  inotify_init1: [294, 26],
  // Its flags lie in memory, where a filter cannot read them.
  clone3: [435, 435],
};

/**
 * Answered with success, without effect. Advice about the cache changes what other processes find
 * in it; a sync writes back the files of the whole machine, and nothing that a guest can write is
 * on a disk.
 */
export const IGNORED: Readonly<Record<string, Numbers>> = {
  fadvise64: [221, 223],
  readahead: [187, 213],
  sync: [162, 81],
  sync_file_range: [277, 84],
  syncfs: [306, 267],
};

/** Denied with EACCES where a guest has a list of addresses: see filter.ts. */
export const LISTENING: Readonly<Record<string, Numbers>> = {
  bind: [49, 200],
  listen: [50, 201],
};

/** Allowed with some arguments only. */
export const CONDITIONAL = {
  clone: [56, 220],
  fcntl: [72, 25],
  ioctl: [16, 29],
  madvise: [28, 233],
  personality: [135, 92],
  prctl: [157, 167],
  preadv2: [327, 286],
  pwritev2: [328, 287],
  setsockopt: [54, 208],
  socket: [41, 198],
  socketpair: [53, 199],
} as const satisfies Readonly<Record<string, Numbers>>;

export function numberOf(numbers: Numbers, architecture: Architecture): number | undefined {
  return numbers[architecture === 'x64' ? 0 : 1];
}
