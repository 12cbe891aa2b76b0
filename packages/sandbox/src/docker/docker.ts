/**
 * The `docker` driver: a session is a hardened container, a command is a forked child of its
 * supervisor.
 *
 * container.ts describes how a container is hardened, supervisor/main.py how commands run in it,
 * account.ts how they are limited and accounted, pool.ts why most sessions wait for none of this.
 */
import { rmdir } from 'node:fs/promises';
import { SkeinError } from '@skein/api';
import type { ControlGroups, ControlGroupsHere } from '../cgroup/contract.ts';
import { openControlGroups } from '../cgroup/open.ts';
import type { Availability, SandboxDriver, SessionOptions } from '../contract.ts';
import { allLimits, refuseUnsupported, type AllLimits } from '../command/limits.ts';
import { dockerReference, isFolderImage } from '../images.ts';
import { openGate, type Gate } from '../network/gate.ts';
import { socketsOf } from '../seccomp/filter.ts';
import { accountsOf, type Accounts } from './container/account.ts';
import { findAvailability, NOT_BESIDE } from './daemon/availability.ts';
import { startContainer, type SandboxContainer, type Shape } from './container/container.ts';
import { connectEngine, engineError, isLocal } from './daemon/engine.ts';
import { INPUTS_BYTES, readInputs, type Inputs } from './container/inputs.ts';
import { removeLeftovers } from './container/leftovers.ts';
import { containerPool } from './container/pool.ts';
import { DockerSession } from './session.ts';

/** Made by deploy/sandbox/base-image.sh. */
const DEFAULT_IMAGE = 'skein-sandbox:minimal';
/**
 * Resources of a container that the supervisor and waiting children use, in bytes and in processes.
 */
const CONTAINER_BYTES = 96 * 1024 * 1024;
const CONTAINER_PIDS = 32;

export interface DockerOptions {
  /** In the form of DOCKER_HOST; default the environment's. */
  readonly host?: string | undefined;
  /** Image of sessions that name none. */
  readonly image?: string | undefined;
  /** OCI runtime of the daemon's, such as `runsc`; default SKEIN_DOCKER_RUNTIME, else the daemon's own. */
  readonly runtime?: string | undefined;
  /** Containers that wait, for each of the recent shapes. Default: 1. */
  readonly warm?: number | undefined;
  /**
   * `container`: commands share the account of their container even when each could have its own.
   */
  readonly accounting?: 'command' | 'container' | undefined;
}

export function createDocker(options: DockerOptions = {}): SandboxDriver {
  const docker = connectEngine(options.host);
  const { image: ownImage = DEFAULT_IMAGE, warm = 1 } = options;
  const runtime = options.runtime ?? (process.env['SKEIN_DOCKER_RUNTIME'] || undefined);
  const startNew = (shape: Shape): Promise<SandboxContainer> => startContainer(docker, shape);
  const pool = containerPool({ start: startNew, perShape: warm, shapes: 4 });
  const sessions = new Set<DockerSession>();
  let groupsHere: Promise<ControlGroupsHere> | undefined;
  let found: Promise<Availability> | undefined;
  let swept: Promise<unknown> | undefined;
  let isClosed = false;

  async function find(): Promise<Availability> {
    const { here, again } = await findAvailability({
      docker,
      host: options.host ?? process.env['DOCKER_HOST'] ?? '',
      image: ownImage,
      runtime,
      ownAccounts: (await ownGroups()) !== undefined,
      open: (asked) => openWith(asked, startNew),
    });
    if (again) found = undefined;
    // The first session retries a container that fails now.
    if (here.available) await ready().catch(() => undefined);
    return here;
  }

  /** @param start makes a container, or takes one from the pool. */
  async function openWith(asked: SessionOptions, start: typeof startNew): Promise<DockerSession> {
    if (isClosed) throw closed();
    await ready();
    const groups = await ownGroups();
    const limits = allLimits(asked.limits);
    const inputs = await readInputs(asked.mounts, isLocal(options.host));
    const container = await start(shapeOf(asked, inputs, limits, groups !== undefined));
    let session: DockerSession | undefined;
    try {
      if (isClosed) throw closed();
      const accounts = accountsOf(container, groups);
      const gate = await gateOf(container, accounts, asked);
      const onClosed = (): void => void (session && sessions.delete(session));
      session = new DockerSession({ container, limits, accounts, gate, onClosed });
      sessions.add(session);
      await session.provide(inputs.written);
      return session;
    } catch (error) {
      await (session === undefined ? container.remove() : session.close());
      throw error;
    }
  }

  /** Connects to the daemon, and removes the leftovers of dead nodes there, once. */
  async function ready(): Promise<void> {
    swept ??= removeLeftovers(docker);
    try {
      await swept;
    } catch (error) {
      swept = undefined;
      throw engineError(error, 'list the sandboxes');
    }
  }

  async function ownGroups(): Promise<ControlGroups | undefined> {
    if (options.accounting === 'container' || !isLocal(options.host)) return undefined;
    groupsHere ??= openControlGroups();
    return (await groupsHere).groups;
  }

  function shapeOf(
    { image, network }: SessionOptions,
    { bound }: Inputs,
    limits: AllLimits,
    ownAccounts: boolean,
  ): Shape {
    const disk = Number.isFinite(limits.diskBytes) ? limits.diskBytes : 0;
    return {
      image: dockerReference(image ?? ownImage),
      diskBytes: limits.diskBytes,
      memoryBytes: CONTAINER_BYTES + INPUTS_BYTES + roundedUp(limits.memoryBytes + disk),
      pids: CONTAINER_PIDS + (ownAccounts ? roundedUp(limits.pids) : limits.pids),
      cores: Math.ceil(limits.cores) + 1,
      network: socketsOf(network),
      mounts: bound,
      runtime,
    };
  }

  const availability = (): Promise<Availability> => (found ??= find());
  return {
    name: 'docker',
    takesImage: (image) => !isFolderImage(image),
    availability,
    async open(asked) {
      const here = await availability();
      if (!here.available) {
        const message = `The docker sandbox is not available: ${here.reason}`;
        throw new SkeinError('SANDBOX_UNAVAILABLE', message);
      }
      refuseUnsupported('docker', here.enforcement, asked);
      return await openWith(asked, pool.take);
    },
    async close() {
      isClosed = true;
      await Promise.allSettled([...sessions].map((session) => session.close()));
      await pool.close();
      // The folder of this process, unless another driver has groups in it.
      const groups = await ownGroups();
      await Promise.allSettled((groups?.folders ?? []).map((folder) => rmdir(folder)));
    },
  };
}

/** Rounds up to a power of two, so that sessions with similar limits share a shape. */
function roundedUp(value: number): number {
  return 2 ** Math.ceil(Math.log2(value));
}

/** The way out of a container, for a list of addresses. @throws SkeinError SANDBOX_UNSUPPORTED. */
async function gateOf(
  { pid }: SandboxContainer,
  accounts: Accounts | undefined,
  { network, untrusted, report = () => undefined }: SessionOptions,
): Promise<Gate | undefined> {
  if (typeof network === 'string') return undefined;
  // A process whose group can be seen and moved has a network that can be entered.
  if (accounts === undefined) throw new SkeinError('SANDBOX_UNSUPPORTED', NOT_BESIDE);
  return await openGate({ policy: network, pid, owned: false, trusted: !untrusted, report });
}

function closed(): SkeinError {
  return new SkeinError('SANDBOX_UNAVAILABLE', 'The driver docker is closed.');
}
