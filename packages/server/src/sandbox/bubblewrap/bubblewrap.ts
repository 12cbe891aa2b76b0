/**
 * The bubblewrap driver: name spaces by `bwrap`, limits by control groups, a seccomp filter of ours.
 *
 * As root, each session runs as an unprivileged user of its own, which exists nowhere else. Without
 * root, the guest is the user who started the node, kept apart by a user name space; what limits
 * can be held then depends on the control group that is delegated to the user.
 */
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { normalize } from 'node:path/posix';
import { SkeinError } from '@skein/api';
import type { ControlGroups } from '../cgroup/contract.ts';
import { openControlGroups } from '../cgroup/open.ts';
import type {
  Availability,
  Enforcement,
  SandboxDriver,
  SandboxSession,
  SessionOptions,
} from '../contract.ts';
import { enforcementOf } from '../enforcement.ts';
import { startLauncher, type Launcher } from '../launcher/launcher.ts';
import { refuseUnsupported } from '../limits.ts';
import { seccompFilter } from '../seccomp/filter.ts';
import { makeRunFolder } from '../run-folder.ts';
import { hold } from './holder.ts';
import { hostRoot, imageRoot, kernelOptions } from './root.ts';
import { createSession } from './session.ts';
import { copySettings } from './settings.ts';

export interface BubblewrapOptions {
  /** How many launched processes wait for a command. */
  readonly warm?: number;
  /** Root file system of sessions that name none: a directory. Default: the host's programs. */
  readonly image?: string | undefined;
}

/** What a driver has, once it was found to be available. */
interface Running {
  readonly groups: ControlGroups | undefined;
  readonly launcher: Launcher;
  readonly folder: string;
  readonly enforcement: Enforcement;
}

/** User ids that nobody has: above those of containers, below 2³¹. One by chance for each session. */
const FIRST_UID = 1_880_000_000;
const LAST_UID = 2_147_000_000;

export function createBubblewrap({ warm = 4, image }: BubblewrapOptions = {}): SandboxDriver {
  const root = process.getuid?.() === 0;
  const sessions = new Set<SandboxSession>();
  let running: Promise<Running | Extract<Availability, { available: false }>> | undefined;
  let version = '';
  let closed = false;

  const start = async (): Promise<Running | Extract<Availability, { available: false }>> => {
    const missing = missingProgram();
    if (missing !== undefined) return missing;
    version = spawnSync('bwrap', ['--version'], { encoding: 'utf8' }).stdout.trim();
    const here = await openControlGroups();
    const folder = await makeRunFolder();
    const seccomp = `${folder}/seccomp`;
    writeFileSync(seccomp, seccompFilter(process.arch === 'arm64' ? 'arm64' : 'x64'));
    mkdirSync(`${folder}/mounts`, { mode: 0o711 });
    copySettings(`${folder}/etc`);
    const launcher = startLauncher({
      groups: here.groups,
      seccomp,
      within: ownNamespaces(root),
      parked: warm,
    });
    const enforcement = enforcementOf(here, 'bubblewrap');
    return { groups: here.groups, launcher, folder, enforcement };
  };

  const driver: SandboxDriver = {
    name: 'bubblewrap',
    async availability() {
      const state = await (running ??= start());
      return 'reason' in state
        ? state
        : { available: true, version, enforcement: state.enforcement };
    },
    async open(options) {
      if (closed) throw new SkeinError('SANDBOX_UNAVAILABLE', 'The driver bubblewrap is closed.');
      const state = await (running ??= start());
      if ('reason' in state) {
        throw new SkeinError(
          'SANDBOX_UNAVAILABLE',
          `The driver bubblewrap cannot be used here: ${state.reason}. ${state.fix}`,
        );
      }
      refuseUnsupported('bubblewrap', state.enforcement, options);
      return await openSession(state, options);
    },
    async close() {
      closed = true;
      await Promise.allSettled([...sessions].map((session) => session.close()));
      const state = await running;
      if (state === undefined || 'reason' in state) return;
      await state.launcher.close();
      await state.groups?.close();
      await rm(state.folder, { recursive: true, force: true });
    },
  };

  async function openSession(
    { launcher, folder }: Running,
    options: SessionOptions,
  ): Promise<SandboxSession> {
    const uid = root ? randomInt(FIRST_UID, LAST_UID) : undefined;
    const mounts = `${folder}/mounts`;
    const rootImage = options.image ?? image;
    const shown = options.mounts.map(({ source, target }, index) => {
      checkMount(source, target);
      return { source, target, name: String(index) };
    });
    const { diskBytes, memoryBytes } = options.limits;
    const kernel = kernelOptions(Math.min(diskBytes, memoryBytes));
    const trustedRoot = [...hostRoot(`${folder}/etc`), ...kernel];
    const guestRoot = [
      ...(rootImage === undefined
        ? hostRoot(`${folder}/etc`)
        : imageRoot(rootImage, `${mounts}/show/image`)),
      ...kernel,
      ...shown.flatMap(({ name, target }) => ['--ro-bind', `${mounts}/show/${name}`, target]),
    ];
    const holder = await hold(await launcher.take(), {
      folder: mounts,
      diskBytes,
      owner: uid,
      shown: [...shown, ...(rootImage === undefined ? [] : [{ source: rootImage, name: 'image' }])],
    });
    const session = createSession({
      launcher,
      holder,
      options,
      folder: mounts,
      guestRoot,
      trustedRoot,
      uid,
      onClose: () => void sessions.delete(session),
    });
    sessions.add(session);
    return session;
  }
  return driver;
}

/** The launcher is process 1 of its own name space; without root, in a user name space where it is root. */
function ownNamespaces(root: boolean): string[] {
  const user = root ? [] : ['--user', '--map-root-user'];
  return [
    'unshare',
    ...user,
    '--mount',
    '--propagation',
    'slave',
    '--pid',
    '--mount-proc',
    '--fork',
    '--kill-child=KILL',
  ];
}

/** A mount must not hide what the driver itself mounts. @throws SkeinError REQUEST_INVALID. */
function checkMount(source: string, target: string): void {
  for (const path of [source, target]) {
    if (
      !path.startsWith('/') ||
      path.includes('\0') ||
      (path !== '/' && normalize(path) !== path)
    ) {
      throw new SkeinError(
        'REQUEST_INVALID',
        `${JSON.stringify(path)} is not an absolute, normalised path for a mount`,
      );
    }
  }
  if (/^\/(proc|dev|sys|workspace)?(\/|$)/.test(target) && target.split('/').length <= 2) {
    throw new SkeinError(
      'REQUEST_INVALID',
      `Nothing can be mounted at ${target}; choose a folder of its own`,
    );
  }
}

function missingProgram(): Extract<Availability, { available: false }> | undefined {
  if (process.platform !== 'linux') {
    return {
      available: false,
      reason: `${process.platform} has no name spaces`,
      fix: 'Use Docker there.',
    };
  }
  for (const [program, debian] of [
    ['bwrap', 'bubblewrap'],
    ['unshare', 'util-linux'],
    ['nsenter', 'util-linux'],
    ['tar', 'tar'],
  ] as const) {
    if (spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0) continue;
    return {
      available: false,
      reason: `${program} is not installed`,
      fix: `Install it: sudo apt-get install ${debian}`,
    };
  }
  return undefined;
}
