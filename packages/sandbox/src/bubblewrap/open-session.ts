/** Opens a session: checks its mounts, chooses its user, and starts its holder. */
import { randomInt } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { normalize } from 'node:path/posix';
import { SkeinError } from '@skein/api';
import { usableMemoryBytes } from '@skein/api/machine';
import type { Mount, SandboxSession, SessionOptions } from '../contract.ts';
import type { LaunchHost } from '../host/launch-host.ts';
import { allLimits } from '../command/limits.ts';
import { imageFolder } from '../images.ts';
import { openGate } from '../network/gate.ts';
import { socketsOf, type Sockets } from '../seccomp/filter.ts';
import { hold } from './holder.ts';
import { holdNetwork, type HeldNetwork } from './network.ts';
import { hostRoot, imageRoot, kernelOptions } from './root.ts';
import { createSession } from './session.ts';

/**
 * User ids that no user has: above the ids of containers, below 2³¹. Each session gets a random one.
 */
const FIRST_UID = 1_880_000_000;
const LAST_UID = 2_147_000_000;

/** Uses another filter than the launcher's, which is the one for no network. */
const WITH_FILTER = ['/bin/sh', '-c', 'exec 5< "$0" && exec "$@"'];

const ROOT = process.getuid?.() === 0;

/** The name of the filter for a session's sockets, in the folder of the driver. */
export function filterFile(sockets: Exclude<Sockets, 'none'>): string {
  return `seccomp-${sockets}`;
}

/** @throws SkeinError REQUEST_INVALID, SANDBOX_IMAGE_UNKNOWN, SANDBOX_IMAGE_FORBIDDEN, SANDBOX_UNSUPPORTED. */
export async function openSession(
  { launcher, folder }: LaunchHost,
  options: SessionOptions & { readonly hidden: readonly string[] },
  onClose: () => void = () => undefined,
): Promise<SandboxSession> {
  const { mounts } = options;
  const hidden = options.hidden.map(realPath).filter((path) => path !== undefined);
  const image = options.image === undefined ? undefined : imageFolder(options.image, hidden);
  mounts.forEach(checkMount);
  const asked = allLimits(options.limits);
  // A tmpfs without a bound could take all memory of the machine.
  const limits = { ...asked, diskBytes: Math.min(asked.diskBytes, usableMemoryBytes()) };
  const held = `${folder}/mounts`;
  const kernel = kernelOptions(Math.min(limits.diskBytes, limits.memoryBytes));
  const host = hostRoot(`${folder}/etc`, hidden);
  const trustedRoot = [...host, ...kernel];
  const programs = image === undefined ? host : imageRoot(image, `${held}/show/image`);
  const shown = mounts.map(({ source }, index) => ({ source, name: String(index) }));
  const guestRoot = [
    ...programs,
    ...kernel,
    ...mounts.flatMap(({ target }, index) => ['--ro-bind', `${held}/show/${index}`, target]),
  ];
  const uid = ROOT ? randomInt(FIRST_UID, LAST_UID) : undefined;
  const { network, report = () => undefined } = options;
  const holder = await hold(await launcher.take(), {
    folder: held,
    diskBytes: limits.diskBytes,
    owner: uid,
    shown: image === undefined ? shown : [...shown, { source: image, name: 'image' }],
  });
  const sockets = socketsOf(network);
  const filter = sockets === 'none' ? [] : [...WITH_FILTER, `${folder}/${filterFile(sockets)}`];
  const common = { filter, launcher, limits, network, held, guestRoot, trustedRoot, uid };
  if (typeof network === 'string') {
    return createSession({ ...common, holder, environment: {}, onClose });
  }
  let inside: HeldNetwork | undefined;
  try {
    inside = await holdNetwork(await launcher.take());
    const { pid, enter } = inside;
    const gate = await openGate({
      policy: network,
      pid,
      owned: !ROOT,
      trusted: !options.untrusted,
      report,
    });
    const [nsenter = '', ...words] = holder.enter;
    return createSession({
      ...common,
      holder: { ...holder, enter: [nsenter, enter, ...words] },
      environment: gate.environment,
      onClose() {
        gate.close();
        void inside?.close().catch(() => undefined);
        onClose();
      },
    });
  } catch (error) {
    await Promise.allSettled([inside?.close(), holder.close()]);
    throw error;
  }
}

/** Resolves a path; a path that does not exist is returned as it is. */
/** Undefined where nothing is: there is nothing to hide, and nothing can be mounted over it. */
function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/**
 * Refuses mounts over the paths that the driver itself provides. @throws SkeinError
 * REQUEST_INVALID.
 */
function checkMount({ source, target }: Mount): void {
  for (const path of [source, target]) {
    if (!path.startsWith('/') || path.includes('\0') || normalize(path) !== path) {
      throw new SkeinError(
        'REQUEST_INVALID',
        `${JSON.stringify(path)} is not an absolute, normalised path for a mount`,
      );
    }
  }
  if (/^\/((proc|dev|sys|tmp|workspace)(\/|$)|$)/.test(target)) {
    throw new SkeinError(
      'REQUEST_INVALID',
      `Nothing can be mounted at ${target}, which is the sandbox’s own; choose another folder`,
    );
  }
}
