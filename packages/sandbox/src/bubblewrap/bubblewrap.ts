/**
 * The bubblewrap driver: name spaces by `bwrap`, limits by control groups, and a seccomp filter.
 *
 * As root, each session runs as an unprivileged user of its own, whose id no other process has.
 * Without root, the guest is the user who started the node, isolated by a user name space; which
 * limits hold then depends on the control group that is delegated to the user.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { SkeinError } from '@skein/api';
import type { Availability, Enforcement, SandboxDriver, SandboxSession } from '../contract.ts';
import { enforcementOf, listBy } from '../probe/enforcement.ts';
import { isFolderImage } from '../images.ts';
import { openLaunchHost, type LaunchHost } from '../host/launch-host.ts';
import { refuseUnsupported } from '../command/limits.ts';
import { openTrial } from '../network/trial.ts';
import { probe, PROBE_LIMITS } from '../probe/probe.ts';
import { remembered } from '../probe/remembered.ts';
import { seccompFilter } from '../seccomp/filter.ts';
import { filterFile, openSession } from './open-session.ts';
import { copySettings } from './settings.ts';
import { explainFailure, missingProgram, type Unavailable } from './unavailable.ts';

export interface BubblewrapOptions {
  /** The number of launched processes that wait for a command. */
  readonly warm?: number;
  /** Root file system of sessions that name none: a name or a directory. Default: the host's programs. */
  readonly image?: string | undefined;
  /** Folders that no guest may see, such as the node's data, whatever the image is. */
  readonly hidden?: readonly string[] | undefined;
}

/** The driver after its probe. */
interface Opened {
  readonly available: true;
  readonly version: string;
  readonly enforcement: Enforcement;
  readonly host: LaunchHost;
}

const ROOT = process.getuid?.() === 0;
const ARCHITECTURE = process.arch === 'arm64' ? 'arm64' : 'x64';

export function createBubblewrap({
  warm = 4,
  image,
  hidden = [],
}: BubblewrapOptions = {}): SandboxDriver {
  const sessions = new Set<SandboxSession>();
  let opened: Promise<Opened | Unavailable> | undefined;
  let closed = false;

  /** A driver that is closed during its probe ends it. */
  const trial = {
    keep(session: SandboxSession): void {
      sessions.add(session);
      if (closed) void session.close();
    },
    end(session: SandboxSession): void {
      sessions.delete(session);
      if (closed) throw new Error('it was closed during its probe');
    },
  };

  async function open(): Promise<Opened | Unavailable> {
    const missing = missingProgram();
    if (missing !== undefined) return missing;
    const host = await openLaunchHost({
      within: ownNamespaces(),
      seccomp: seccompFilter(ARCHITECTURE, 'none'),
      parked: warm,
    });
    try {
      mkdirSync(`${host.folder}/mounts`, { mode: 0o711 });
      await copySettings(`${host.folder}/etc`);
      for (const sockets of ['list', 'host'] as const) {
        writeFileSync(
          `${host.folder}/${filterFile(sockets)}`,
          seccompFilter(ARCHITECTURE, sockets),
        );
      }
      const enforcement = await remembered('bubblewrap', async () => await tried(host, trial));
      const version = spawnSync('bwrap', ['--version'], { encoding: 'utf8' }).stdout.trim();
      return { available: true, version, enforcement, host };
    } catch (error) {
      await host.close();
      return explainFailure(error instanceof Error ? error.message : String(error));
    }
  }

  return {
    name: 'bubblewrap',
    takesImage: isFolderImage,
    async availability(): Promise<Availability> {
      const state = await (opened ??= open());
      if (!state.available) return state;
      const { available, version, enforcement } = state;
      return { available, version, enforcement };
    },
    async open(options) {
      const state = closed ? undefined : await (opened ??= open());
      if (state?.available !== true) {
        const why = state === undefined ? 'it is closed' : `${state.reason}. ${state.fix}`;
        throw new SkeinError('SANDBOX_UNAVAILABLE', `The driver bubblewrap cannot be used: ${why}`);
      }
      refuseUnsupported('bubblewrap', state.enforcement, options);
      const chosen = { ...options, image: options.image ?? image, hidden };
      const session = await openSession(state.host, chosen, () => sessions.delete(session));
      sessions.add(session);
      return session;
    },
    async close() {
      closed = true;
      await Promise.allSettled([...sessions].map((session) => session.close()));
      const state = await opened;
      if (state?.available === true) await state.host.close();
    },
  };
}

/** Probes which limits hold here. @throws Error when no sandbox can be made. */
async function tried(
  host: LaunchHost,
  trial: Readonly<Record<'keep' | 'end', (session: SandboxSession) => void>>,
): Promise<Enforcement> {
  const { session, noList } = await openTrial((network) =>
    openSession(host, {
      mounts: [],
      limits: PROBE_LIMITS,
      network,
      untrusted: true,
      hidden: [],
    }),
  );
  const claimed = enforcementOf(host.groups, {
    disk: { enforced: true, by: 'size of a tmpfs' },
    network: {
      none: true,
      allowList: noList === undefined,
      by: `a network name space without any interface; ${listBy(noList)}`,
    },
    isolates: true,
  });
  trial.keep(session);
  try {
    return await probe(session, claimed);
  } finally {
    await session.close();
    trial.end(session);
  }
}

/** The launcher is process 1 of its own name space; without root, in a user name space where it is root. */
function ownNamespaces(): string[] {
  const user = ROOT ? [] : ['--user', '--map-root-user'];
  const mounts = ['--mount', '--propagation', 'slave'];
  return ['unshare', ...user, ...mounts, '--pid', '--mount-proc', '--fork', '--kill-child=KILL'];
}
