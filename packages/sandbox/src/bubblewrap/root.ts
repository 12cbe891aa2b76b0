/**
 * The root directory of a guest: parts of a root file system, bound read-only, and nothing else of
 * the host.
 */
import { lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { SkeinError } from '@skein/api';
import { isWithin } from '../images.ts';

/**
 * Top folders of a root file system that hold programs; a guest sees no other top folder of the
 * host.
 */
const PROGRAMS = ['usr', 'bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];

/** Folders of an image that the guest's own replace. */
const OWN = new Set(['dev', 'proc', 'run', 'sys', 'tmp', 'workspace']);

/** Files of /proc that describe the whole machine; the list of container engines. */
const MASKED = [
  'acpi',
  'asound',
  'interrupts',
  'kallsyms',
  'kcore',
  'key-users',
  'keys',
  'latency_stats',
  'sched_debug',
  'scsi',
  'timer_list',
  'timer_stats',
];

/** Options of bubblewrap that show the host's programs, and no other mount of the host. */
export function hostPrograms(): string[] {
  return PROGRAMS.flatMap((name) => show(`/${name}`, `/${name}`, name));
}

/**
 * Options of bubblewrap for the root of a guest of the host's programs.
 * @param etc a folder that becomes /etc.
 * @param hidden real paths of folders and files that are not shown, wherever they are.
 */
export function hostRoot(etc: string, hidden: readonly string[]): string[] {
  const shown = hidden.filter((path) => PROGRAMS.some((name) => isWithin(path, `/${name}`)));
  const covered = new Set(
    // In the folder that covers another one nothing can be mounted any more.
    shown.filter((path) => !shown.some((other) => other !== path && isWithin(path, other))),
  );
  return [...hostPrograms(), ...[...covered].flatMap(cover), '--ro-bind', etc, '/etc'];
}

/** An empty folder, or a file that cannot be opened. */
function cover(path: string): string[] {
  return statSync(path).isDirectory()
    ? ['--tmpfs', path, '--remount-ro', path]
    : ['--ro-bind', '/dev/null', path];
}

/**
 * Options of bubblewrap that show a root file system.
 * @param image the directory that holds it.
 * @param seenAt the path under which bubblewrap finds the same directory.
 * @throws SkeinError SANDBOX_IMAGE_UNKNOWN.
 */
export function imageRoot(image: string, seenAt: string): string[] {
  let names: string[] = [];
  try {
    names = readdirSync(image);
  } catch {
    // Reported below.
  }
  if (!names.includes('bin') && !names.includes('usr')) {
    throw new SkeinError(
      'SANDBOX_IMAGE_UNKNOWN',
      `${image} is not a directory that holds a root file system (it has neither bin nor usr)`,
    );
  }
  return names
    .filter((name) => !OWN.has(name))
    .flatMap((name) => show(`${image}/${name}`, `${seenAt}/${name}`, name));
}

/** Options for the guest's own /proc and /dev. @param shmBytes size of /dev/shm, in bytes. */
export function kernelOptions(shmBytes: number): string[] {
  return [
    '--proc',
    '/proc',
    ...MASKED.flatMap(mask),
    '--dev',
    '/dev',
    '--size',
    String(shmBytes),
    '--tmpfs',
    '/dev/shm',
    '--remount-ro',
    '/dev',
  ];
}

/** Shows a link as a link, anything else read-only, and skips a path that does not exist. */
function show(path: string, seenAt: string, name: string): string[] {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  return stat.isSymbolicLink()
    ? ['--symlink', readlinkSync(path), `/${name}`]
    : ['--ro-bind', seenAt, `/${name}`];
}

/**
 * Only files that users other than root can read; each mask costs every command a part of a
 * millisecond.
 */
function mask(name: string): string[] {
  const path = `/proc/${name}`;
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined || (stat.mode & 0o004) === 0) return [];
  return stat.isDirectory()
    ? ['--tmpfs', path, '--remount-ro', path]
    : ['--ro-bind', '/dev/null', path];
}
