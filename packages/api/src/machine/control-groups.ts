/** Where the control group hierarchies are mounted, from /proc/self/mountinfo and /proc/self/cgroup. */

export interface CgroupMounts {
  /** Mount point of the unified hierarchy. */
  readonly unified: string | undefined;
  /** Mount points of version 1, by controller; some controllers may share one. */
  readonly v1: ReadonlyMap<string, string>;
  /** The group that each mount point shows; not `/` in a container that shares the host's namespace. */
  readonly roots: ReadonlyMap<string, string>;
}

/** @param mountinfo the text of /proc/self/mountinfo, as in proc(5). */
export function readMounts(mountinfo: string): CgroupMounts {
  let unified: string | undefined;
  const v1 = new Map<string, string>();
  const roots = new Map<string, string>();
  for (const line of mountinfo.split('\n')) {
    const [left, right] = line.split(' - ');
    const [, , , root = '/', mountPoint] = left?.split(' ') ?? [];
    const [type, , options] = right?.split(' ') ?? [];
    // Octal escapes stand for white space, which no sane cgroup mount has.
    if (mountPoint === undefined || mountPoint.includes('\\')) continue;
    if (type !== 'cgroup' && type !== 'cgroup2') continue;
    roots.set(mountPoint, root);
    if (type === 'cgroup2') unified ??= mountPoint;
    if (type !== 'cgroup') continue;
    for (const option of options?.split(',') ?? []) {
      if (!v1.has(option)) v1.set(option, mountPoint);
    }
  }
  return { unified, v1, roots };
}

/** The group of this process in a hierarchy. @param cgroup the text of /proc/self/cgroup. */
export function ownGroup(cgroup: string, controller: string): string {
  for (const line of cgroup.split('\n')) {
    const [, controllers, ...path] = line.split(':');
    if (controllers?.split(',').includes(controller) === true) return path.join(':');
  }
  return '/';
}
