/**
 * The `docker` driver: a session is a hardened container, a command is a forked child of its
 * supervisor.
 *
 * container.ts describes how a container is hardened, supervisor/main.py how commands run in it,
 * account.ts how they are limited and accounted, pool.ts why most sessions wait for none of this.
 */
import { rmdir } from 'node:fs/promises';
import type Docker from 'dockerode';
import { SkeinError } from '@skein/api';
import type { ControlGroups, ControlGroupsHere } from '../cgroup/contract.ts';
import { openControlGroups } from '../cgroup/open.ts';
import type { Availability, SandboxDriver, SandboxSession, SessionOptions } from '../contract.ts';
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
import { ContainerPool } from './container/pool.ts';
import { DockerSession } from './session.ts';

/** Made by deploy/sandbox/base-image.sh. */
const DEFAULT_IMAGE = 'skein-sandbox:minimal';
/**
 * Resources of a container that the supervisor and waiting children use, in bytes and in processes.
 */
const CONTAINER_BYTES = 96 * 1024 * 1024;
const CONTAINER_PIDS = 32;

export interface DockerOptions {
  /** As in DOCKER_HOST; default the environment's. */
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
  return new DockerDriver(options);
}

class DockerDriver implements SandboxDriver {
  readonly name = 'docker';
  readonly #options: DockerOptions;
  readonly #docker: Docker;
  readonly #image: string;
  readonly #runtime: string | undefined;
  readonly #pool: ContainerPool;
  readonly #sessions = new Set<DockerSession>();
  #groups: Promise<ControlGroupsHere> | undefined;
  #availability: Promise<Availability> | undefined;
  #swept: Promise<unknown> | undefined;
  #closed = false;

  constructor(options: DockerOptions) {
    this.#options = options;
    this.#docker = connectEngine(options.host);
    this.#image = options.image ?? DEFAULT_IMAGE;
    this.#runtime = options.runtime ?? (process.env['SKEIN_DOCKER_RUNTIME'] || undefined);
    this.#pool = new ContainerPool({
      start: (shape) => startContainer(this.#docker, shape),
      perShape: options.warm ?? 1,
      shapes: 4,
    });
  }

  takesImage(image: string): boolean {
    return !isFolderImage(image);
  }

  availability(): Promise<Availability> {
    this.#availability ??= this.#find();
    return this.#availability;
  }

  async open(options: SessionOptions): Promise<SandboxSession> {
    const found = await this.availability();
    if (!found.available)
      throw new SkeinError(
        'SANDBOX_UNAVAILABLE',
        `The docker sandbox is not available: ${found.reason}`,
      );
    refuseUnsupported('docker', found.enforcement, options);
    return await this.#open(options, (shape) => this.#pool.take(shape));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled([...this.#sessions].map((session) => session.close()));
    await this.#pool.close();
    // The folder of this process, unless another driver has groups in it.
    const groups = await this.#ownGroups();
    await Promise.allSettled((groups?.folders ?? []).map((folder) => rmdir(folder)));
  }

  async #find(): Promise<Availability> {
    const { here, again } = await findAvailability({
      docker: this.#docker,
      host: this.#options.host ?? process.env['DOCKER_HOST'] ?? '',
      image: this.#image,
      runtime: this.#runtime,
      ownAccounts: (await this.#ownGroups()) !== undefined,
      open: (options) => this.#open(options, (shape) => startContainer(this.#docker, shape)),
    });
    if (again) this.#availability = undefined;
    // The first session retries a container that fails now.
    if (here.available) await this.#ready().catch(() => undefined);
    return here;
  }

  /** @param start makes a container, or takes one from the pool. */
  async #open(
    options: SessionOptions,
    start: (shape: Shape) => Promise<SandboxContainer>,
  ): Promise<DockerSession> {
    if (this.#closed) throw closed();
    await this.#ready();
    const groups = await this.#ownGroups();
    const limits = allLimits(options.limits);
    const inputs = await readInputs(options.mounts, isLocal(this.#options.host));
    const container = await start(this.#shape(options, inputs, limits, groups !== undefined));
    let session: DockerSession | undefined;
    try {
      if (this.#closed) throw closed();
      const accounts = accountsOf(container, groups);
      const gate = await gateOf(container, accounts, options);
      const onClosed = (): void => void (session && this.#sessions.delete(session));
      session = new DockerSession({ container, limits, accounts, gate, onClosed });
      this.#sessions.add(session);
      await session.provide(inputs.written);
      return session;
    } catch (error) {
      await (session === undefined ? container.remove() : session.close());
      throw error;
    }
  }

  /** Connects to the daemon, and removes the leftovers of dead nodes there, once. */
  async #ready(): Promise<void> {
    this.#swept ??= removeLeftovers(this.#docker);
    try {
      await this.#swept;
    } catch (error) {
      this.#swept = undefined;
      throw engineError(error, 'list the sandboxes');
    }
  }

  async #ownGroups(): Promise<ControlGroups | undefined> {
    if (this.#options.accounting === 'container' || !isLocal(this.#options.host)) return undefined;
    this.#groups ??= openControlGroups();
    return (await this.#groups).groups;
  }

  #shape(
    { image, network }: SessionOptions,
    { bound }: Inputs,
    limits: AllLimits,
    ownAccounts: boolean,
  ): Shape {
    const disk = Number.isFinite(limits.diskBytes) ? limits.diskBytes : 0;
    return {
      image: dockerReference(image ?? this.#image),
      diskBytes: limits.diskBytes,
      memoryBytes: CONTAINER_BYTES + INPUTS_BYTES + roundedUp(limits.memoryBytes + disk),
      pids: CONTAINER_PIDS + (ownAccounts ? roundedUp(limits.pids) : limits.pids),
      cores: Math.ceil(limits.cores) + 1,
      network: socketsOf(network),
      mounts: bound,
      runtime: this.#runtime,
    };
  }
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
