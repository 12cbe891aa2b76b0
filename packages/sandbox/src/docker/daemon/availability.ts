/** Whether a daemon can run sandboxes, and which limits it enforces: asked first, then probed. */
import type Docker from 'dockerode';
import { SkeinError } from '@skein/api';
import type { Availability, Enforcement, SessionOptions } from '../../contract.ts';
import { openTrial } from '../../network/trial.ts';
import { probe, PROBE_LIMITS } from '../../probe/probe.ts';
import { remembered } from '../../probe/remembered.ts';
import { askDaemon, digestOf, type Daemon } from './daemon.ts';
import { engineError } from './engine.ts';
import { enforcement } from './enforcement.ts';
import type { DockerSession } from '../session.ts';

export interface Candidate {
  readonly docker: Docker;
  /** Where the daemon listens. */
  readonly host: string;
  /** Image of sessions that name none. */
  readonly image: string;
  /** Undefined for the daemon's own. */
  readonly runtime: string | undefined;
  /** Whether commands get control groups of their own. */
  readonly ownAccounts: boolean;
  /** Opens the session of the probe. */
  readonly open: (options: SessionOptions) => Promise<DockerSession>;
}

const FIX_ENGINE =
  'Start Docker (`systemctl start docker`), or set DOCKER_HOST to where it listens.';
const FIX_RUNTIME =
  'Add it to "runtimes" in /etc/docker/daemon.json and restart Docker (gVisor: `sudo runsc install`), or unset SKEIN_DOCKER_RUNTIME.';
const FIX_KERNEL =
  'Check the kernel of the Docker host: memory, pids and cpu control groups are needed.';
const FIX_SECURITY =
  'Check that the Docker daemon applies security options (seccomp, no-new-privileges), or use another runtime.';

/** Why the node cannot listen in the network of a container. */
export const NOT_BESIDE = 'the node is not root on the machine of the Docker daemon';

/** Why the driver is not available; `again`: it may be later, so that it is asked again. */
export type Found = { readonly here: Availability; readonly again: boolean };

export async function findAvailability(candidate: Candidate): Promise<Found> {
  const { docker, runtime } = candidate;
  let daemon: Daemon;
  try {
    daemon = await askDaemon(docker);
  } catch (error) {
    return unavailable(engineError(error, 'describe itself').message, FIX_ENGINE, true);
  }
  if (runtime !== undefined && !daemon.runtimes.includes(runtime)) {
    const has = daemon.runtimes.join(', ');
    return unavailable(`the Docker daemon has no runtime ${runtime}, only ${has}`, FIX_RUNTIME);
  }
  try {
    const held = await tried(candidate, daemon);
    if (held.accounting === 'none') {
      return unavailable('what a first command in a container used was not accounted', FIX_KERNEL);
    }
    const version = daemon.version + (runtime === undefined ? '' : `, runtime ${runtime}`);
    return { here: { available: true, version, enforcement: held }, again: false };
  } catch (error) {
    if (error instanceof SkeinError) return unavailable(error.message, error.row.fix, true);
    return unavailable(error instanceof Error ? error.message : String(error), FIX_SECURITY, true);
  }
}

/** The limits that the daemon enforces with this image and runtime; probed once in a process. */
async function tried(
  { docker, host, image, runtime, ownAccounts, open }: Candidate,
  { id, version, groups }: Daemon,
): Promise<Enforcement> {
  const digest = await digestOf(docker, image);
  const key = ['docker', host, id, version, digest, runtime, ownAccounts].join(' ');
  return await remembered(key, async () => {
    const { session, noList } = await openTrial(
      (network) => open({ image, mounts: [], limits: PROBE_LIMITS, network, untrusted: true }),
      ownAccounts ? undefined : NOT_BESIDE,
    );
    try {
      const { runsSideBySide } = session;
      return await probe(session, enforcement(groups, runsSideBySide, noList), runsSideBySide);
    } finally {
      await session.close();
    }
  });
}

function unavailable(reason: string, fix: string, again = false): Found {
  return { here: { available: false, reason, fix }, again };
}
