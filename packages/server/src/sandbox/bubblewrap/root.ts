/**
 * What a guest sees: a root directory of bubblewrap's own, into which parts of a root file system
 * are bound read-only, and nothing of the host besides.
 */
import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { SkeinError } from '@skein/api';

/** Top folders of a root file system that hold programs; a guest sees no other of the host. */
const PROGRAMS = ['usr', 'bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];

/** What programs need of the host's /etc; there are secrets beside it. */
const SETTINGS =
  /^(alternatives|ca-certificates|fonts|gai\.conf|gitconfig|inputrc|java.*|jvm.*|ld\.so\..*|locale.*|localtime|magic|mime\.types|node.*|openmpi|perl|profile|protocols|python.*|services|ssl|terminfo|timezone)$/;

/** Inside /etc/ssl, where keys lie too. */
const CERTIFICATES = ['ssl/certs', 'ssl/openssl.cnf'];

/** Folders of an image in whose place a guest gets its own. */
const OWN = new Set(['dev', 'proc', 'run', 'sys', 'tmp', 'workspace']);

/** Of /proc: what tells of the host or of other guests, or does something to it. Masked where it is there. */
const MASKED_FILES = [
  'keys',
  'key-users',
  'timer_list',
  'sched_debug',
  'kallsyms',
  'kcore',
  'latency_stats',
  'config.gz',
  'interrupts',
];
const MASKED_FOLDERS = ['acpi', 'asound', 'driver', 'fs', 'scsi'];

/** Options of bubblewrap that show the host's programs. @param etc a folder with passwd, group and the like. */
export function hostRoot(etc: string): string[] {
  const options = PROGRAMS.flatMap((name) => show('/', name));
  for (const name of entries('/etc')) {
    if (name === 'ssl') options.push(...CERTIFICATES.flatMap((path) => show('/etc/', path)));
    else if (SETTINGS.test(name)) options.push(...show('/etc/', name));
  }
  for (const name of ['passwd', 'group', 'hosts', 'nsswitch.conf']) {
    options.push('--ro-bind', `${etc}/${name}`, `/etc/${name}`);
  }
  return options;
}

/**
 * Options of bubblewrap that show a root file system.
 * @param image the directory that holds it.
 * @param seenAt where bubblewrap finds the same directory.
 */
export function imageRoot(image: string, seenAt: string): string[] {
  const names = entries(image);
  if (!names.includes('bin') && !names.includes('usr')) {
    throw new SkeinError(
      'SANDBOX_IMAGE_UNKNOWN',
      `${image} is not a directory that holds a root file system (it has neither bin nor usr)`,
    );
  }
  return names
    .filter((name) => !OWN.has(name))
    .flatMap((name) => {
      const link = linkAt(`${image}/${name}`);
      return link === undefined
        ? ['--ro-bind', `${seenAt}/${name}`, `/${name}`]
        : ['--symlink', link, `/${name}`];
    });
}

/** Shows a path of the host: a link as a link, anything else read-only, nothing where there is nothing. */
function show(base: string, name: string): string[] {
  const path = base + name;
  const link = linkAt(path);
  if (link !== undefined) return ['--symlink', link, path];
  return exists(path) ? ['--ro-bind', path, path] : [];
}

/** Options for /proc and /dev of the guest. @param shmBytes size of /dev/shm. */
export function kernelOptions(shmBytes: number): string[] {
  const options = ['--proc', '/proc'];
  for (const name of MASKED_FILES) {
    if (exists(`/proc/${name}`)) options.push('--ro-bind', '/dev/null', `/proc/${name}`);
  }
  for (const name of MASKED_FOLDERS) {
    if (exists(`/proc/${name}`))
      options.push('--tmpfs', `/proc/${name}`, '--remount-ro', `/proc/${name}`);
  }
  options.push(
    '--dev',
    '/dev',
    '--size',
    String(shmBytes),
    '--tmpfs',
    '/dev/shm',
    '--remount-ro',
    '/dev',
  );
  return options;
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
