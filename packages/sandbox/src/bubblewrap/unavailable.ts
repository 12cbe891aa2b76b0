/** Why bubblewrap makes no sandbox here, and how to fix it. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Availability } from '../contract.ts';

export type Unavailable = Extract<Availability, { available: false }>;

/** Settings that forbid name spaces to users: the path of each, and the value that forbids. */
const SETTINGS = [
  ['kernel.apparmor_restrict_unprivileged_userns', '1', '0'],
  ['kernel.unprivileged_userns_clone', '0', '1'],
  ['user.max_user_namespaces', '0', '10000'],
] as const;

/** Programs, each with the Debian package that contains it. */
const PROGRAMS = [
  ['bwrap', 'bubblewrap'],
  ['unshare', 'util-linux'],
  ['nsenter', 'util-linux'],
  ['tar', 'tar'],
] as const;

/** @param message of bubblewrap, or of the program around it. */
export function explainFailure(message: string): Unavailable {
  const reason = `bubblewrap makes no sandbox here (${message.trim().replaceAll('\n', '; ')})`;
  for (const [name, forbids, allows] of SETTINGS) {
    if (settingOf(name) !== forbids) continue;
    return {
      available: false,
      reason: `${reason}: ${name} = ${forbids} forbids user name spaces`,
      fix: `sudo sysctl -w ${name}=${allows}`,
    };
  }
  return {
    available: false,
    reason,
    fix: 'Inside a container, name spaces must be allowed (docker run --security-opt seccomp=unconfined --security-opt systempaths=unconfined), or give the node a Docker socket.',
  };
}

function settingOf(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, 'latin1').trim();
  } catch {
    return undefined;
  }
}

/** A program that the driver needs and the host does not have. */
export function missingProgram(): Unavailable | undefined {
  if (process.platform !== 'linux') {
    const reason = `${process.platform} has no name spaces`;
    return { available: false, reason, fix: 'Use Docker there.' };
  }
  for (const [program, debian] of PROGRAMS) {
    if (spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0) continue;
    const fix = `sudo apt-get install ${debian} (on Debian and Ubuntu)`;
    return { available: false, reason: `${program} is not installed`, fix };
  }
  return undefined;
}
