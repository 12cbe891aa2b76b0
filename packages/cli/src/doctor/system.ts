/** Which system this is, for the exact command that installs something on it. */
import { readFileSync } from 'node:fs';

export type System =
  | 'debian'
  | 'fedora'
  | 'arch'
  | 'alpine'
  | 'suse'
  | 'macos'
  | 'windows'
  | 'other';

/** @param osRelease the text of /etc/os-release, where there is one. */
export function detectSystem(platform: NodeJS.Platform, osRelease: string): System {
  if (platform === 'darwin') return 'macos';
  if (platform === 'win32') return 'windows';
  const ids = [...osRelease.matchAll(/^ID(?:_LIKE)?="?([^"\n]*)"?$/gm)].flatMap((match) =>
    (match[1] ?? '').split(' '),
  );
  const families: readonly (readonly [System, readonly string[]])[] = [
    ['debian', ['debian', 'ubuntu']],
    ['fedora', ['fedora', 'rhel', 'centos']],
    ['arch', ['arch']],
    ['alpine', ['alpine']],
    ['suse', ['suse', 'opensuse']],
  ];
  return families.find(([, names]) => names.some((name) => ids.includes(name)))?.[0] ?? 'other';
}

const INSTALLERS: Readonly<Record<System, string>> = {
  debian: 'apt-get install',
  fedora: 'dnf install',
  arch: 'pacman -S',
  alpine: 'apk add',
  suse: 'zypper install',
  macos: 'brew install',
  windows: 'winget install',
  other: 'install the package',
};

/** Names that differ from the plain one. */
const PACKAGES: Readonly<Record<string, Partial<Record<System, string>>>> = {
  redis: { debian: 'redis-server', windows: 'Redis.Redis' },
  docker: {
    debian: 'docker.io',
    fedora: 'moby-engine',
    macos: '--cask docker',
    windows: 'Docker.DockerDesktop',
  },
  bubblewrap: {},
  chromium: { macos: '--cask chromium', windows: 'Hibbiki.Chromium' },
};

/**
 * `sudo apt-get install redis-server`
 * @param root whether this user may install without sudo.
 */
export function installCommand(component: string, system = thisSystem(), root = isRoot()): string {
  const name = PACKAGES[component]?.[system] ?? component;
  return asRoot(`${INSTALLERS[system]} ${name}`, system, root);
}

/** Puts sudo before a command where the system has it and the user needs it. */
export function asRoot(command: string, system = thisSystem(), root = isRoot()): string {
  const needsSudo = !root && !['macos', 'windows', 'other'].includes(system);
  return needsSudo ? `sudo ${command}` : command;
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

export function thisSystem(): System {
  let osRelease = '';
  try {
    osRelease = readFileSync('/etc/os-release', 'utf8');
  } catch {
    // Not a Linux, or a very bare one.
  }
  return detectSystem(process.platform, osRelease);
}
