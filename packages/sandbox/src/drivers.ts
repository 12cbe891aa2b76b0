/**
 * The drivers of sandboxes: one line each, loaded when it is used. Their names and order are in
 * `packages/api/src/implementations.ts`; one without a line here does not compile.
 */
import { SkeinError } from '@skein/api/errors';
import { SANDBOX_NAMES } from '@skein/api/implementations';
import type { SandboxDriver, SandboxName } from './contract.ts';

/** Options that every driver understands; each has more of its own. */
export interface DriverOptions {
  /** Folders and files that no guest may see, such as the node's data. */
  readonly hidden?: readonly string[] | undefined;
  /** Image of sessions that name none, where the driver cannot show them the host's programs. */
  readonly image?: string | undefined;
  /** Whether all sessions have files of the host mounted, so that none can be prepared before. */
  readonly mounted?: boolean | undefined;
}

const DRIVERS: Readonly<Record<SandboxName, (options: DriverOptions) => Promise<SandboxDriver>>> = {
  bubblewrap: async ({ hidden }) =>
    (await import('./bubblewrap/bubblewrap.ts')).createBubblewrap({ hidden }),
  docker: async ({ image, mounted = false }) =>
    (await import('./docker/docker.ts')).createDocker({ image, ...(mounted ? { warm: 0 } : {}) }),
  kubernetes: async ({ image }) =>
    (await import('./kubernetes/kubernetes.ts')).createKubernetes({ image }),
  process: async () => (await import('./process/process.ts')).createProcessSandbox(),
};

/** @throws SkeinError REQUEST_INVALID where there is no such driver. */
export async function openDriver(
  name: SandboxName,
  options: DriverOptions = {},
): Promise<SandboxDriver> {
  if (!Object.hasOwn(DRIVERS, name)) {
    const known = SANDBOX_NAMES.join(', ');
    throw new SkeinError('REQUEST_INVALID', `There is no sandbox "${name}"; there are ${known}.`);
  }
  return DRIVERS[name](options);
}

/** @param names default: all, in the order of preference. */
export function openDrivers(
  options: DriverOptions = {},
  names: readonly SandboxName[] = SANDBOX_NAMES,
): Promise<SandboxDriver[]> {
  return Promise.all(names.map((name) => openDriver(name, options)));
}
