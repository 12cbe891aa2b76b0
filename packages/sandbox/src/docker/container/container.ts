/**
 * One sandbox container: its hardening, its start and its removal.
 *
 * Process 1 is the supervisor. It keeps four capabilities and uses them only to give up more: to
 * become another user (SETUID, SETGID), to empty the bounding set of what it runs (SETPCAP), and to
 * kill it (KILL). A guest has none, in any set, and no new privileges.
 *
 * The container lives as long as the connection to its stdin: when the node dies, however it dies,
 * the supervisor reads the end of its stdin and exits, and the daemon removes the container.
 */
import { normalize } from 'node:path/posix';
import { PassThrough, Duplex } from 'node:stream';
import type Docker from 'dockerode';
import { SkeinError } from '@skein/api';
import { howToMake } from '../../images.ts';
import type { Sockets } from '../../seccomp/filter.ts';
import { engineError, statusOf } from '../daemon/engine.ts';
import { INPUTS, INPUTS_BYTES, type BoundMount } from './inputs.ts';
import { ownerLabels } from './leftovers.ts';
import { seccompProfile } from './seccomp.ts';
import { Supervisor, supervisorSource } from '../supervisor/supervisor.ts';

export const WORKSPACE = '/workspace';
/** The user of commands that may change the workspace; the same number is in guest.py. */
const AUTHOR = 58001;

/**
 * The options that are fixed when a container is made; containers of one shape are interchangeable.
 */
export interface Shape {
  readonly image: string;
  readonly diskBytes: number;
  /** Bounds of the whole container, supervisor included. */
  readonly memoryBytes: number;
  readonly pids: number;
  readonly cores: number;
  readonly network: Sockets;
  readonly mounts: readonly BoundMount[];
  /** OCI runtime, such as `runsc`; default the daemon's. */
  readonly runtime: string | undefined;
}

/** Inodes of each bounded file system: enough for a source tree, few enough to clean in a moment. */
const INODES = 16_384;
const CPU_PERIOD_US = 100_000;
/**
 * Paths of /proc and /sys to hide: the list of Docker, and counters of the whole machine that no
 * guest needs.
 */
const MASKED = [
  'acpi',
  'asound',
  'kcore',
  'keys',
  'latency_stats',
  'sched_debug',
  'scsi',
  'timer_list',
  'timer_stats',
  'buddyinfo',
  'diskstats',
  'interrupts',
  'kallsyms',
  'key-users',
  'locks',
  'pressure',
  'schedstat',
  'softirqs',
  'sys/fs',
  'vmstat',
  'zoneinfo',
].map((name) => `/proc/${name}`);
const MASKED_DEVICES = ['/sys/firmware', '/sys/devices/virtual/powercap'];
/** A guest sees its own control group as the root. The client's types do not know it. */
const PRIVATE_CGROUPS: object = { CgroupnsMode: 'private' };

export class SandboxContainer {
  readonly id: string;
  /** Process id of the supervisor, as the daemon sees it. */
  readonly pid: number;
  readonly supervisor: Supervisor;
  readonly #container: Docker.Container;
  #bounds: string;
  #removed: Promise<void> | undefined;

  constructor(container: Docker.Container, pid: number, supervisor: Supervisor, shape: Shape) {
    this.id = container.id;
    this.pid = pid;
    this.supervisor = supervisor;
    this.#container = container;
    this.#bounds = JSON.stringify(bounds(shape));
  }

  /** Changes the limits of the whole container, when commands have none of their own. */
  async bound(limits: { memoryBytes: number; pids: number; cores: number }): Promise<void> {
    const next = bounds(limits);
    const text = JSON.stringify(next);
    if (text === this.#bounds) return;
    try {
      await this.#container.update(next);
    } catch (error) {
      throw engineError(error, 'change the limits of a sandbox');
    }
    this.#bounds = text;
  }

  /** Kills everything in it and removes it. Idempotent; a daemon that is gone has removed it, or will. */
  remove(reason = new Error('the sandbox was closed')): Promise<void> {
    this.#removed ??= removeContainer(this.#container).finally(() => this.supervisor.end(reason));
    return this.#removed;
  }
}

async function removeContainer(container: Docker.Container): Promise<void> {
  try {
    await container.remove({ force: true, v: true });
  } catch (error) {
    // Gone, or on its way (AutoRemove); or the daemon is gone, and the end of stdin ends it.
    if (![404, 409, undefined].includes(statusOf(error)))
      throw engineError(error, 'remove a sandbox');
  }
}

/** Makes and starts a container. @throws SkeinError SANDBOX_IMAGE_UNKNOWN, SANDBOX_UNAVAILABLE. */
export async function startContainer(docker: Docker, shape: Shape): Promise<SandboxContainer> {
  let container: Docker.Container;
  try {
    const { Config } = await docker.getImage(shape.image).inspect();
    // Otherwise the client repeats all of it in the address of the request.
    const order: object = { _query: {}, _body: configuration(shape, volumesOf(Config)) };
    container = await docker.createContainer(order);
  } catch (error) {
    throw statusOf(error) === 404
      ? imageUnknown(shape.image)
      : engineError(error, 'make a sandbox');
  }
  const complaints = new PassThrough();
  let output = '';
  complaints
    .setEncoding('utf8')
    .on('data', (text: string) => (output = (output + text).slice(-2000)));
  try {
    const stream = await container.attach({
      stream: true,
      hijack: true,
      stdin: true,
      stdout: true,
      stderr: true,
    });
    const supervisor = new Supervisor(frames(docker, stream as Duplex, complaints));
    await container.start();
    await supervisor.ready;
    const { State, Mounts } = await container.inspect();
    // Another image may have taken its name since it was inspected.
    const volume = (Mounts as readonly Mounted[]).find(({ Type }) => Type === 'volume');
    if (volume !== undefined) throw withVolume(shape.image, volume.Destination);
    return new SandboxContainer(container, State.Pid, supervisor, shape);
  } catch (error) {
    await removeContainer(container).catch(() => undefined);
    if (error instanceof SkeinError) throw error;
    const text = `${error instanceof Error ? error.message : String(error)} ${output}`;
    if (/python3.*(not found|no such file)/is.test(text)) throw withoutPython(shape.image);
    throw engineError(
      output === '' ? error : new Error(output.trim(), { cause: error }),
      'start a sandbox',
    );
  }
}

/** The supervisor's frames, out of the stream in which the daemon mixes stdout and stderr. */
function frames(docker: Docker, stream: Duplex, complaints: PassThrough): Duplex {
  const stdout = new PassThrough();
  docker.modem.demuxStream(stream, stdout, complaints);
  for (const event of ['end', 'close']) stream.on(event, () => stdout.end());
  stream.on('error', (error) => stdout.destroy(error));
  const joined = Duplex.from({ readable: stdout, writable: stream });
  joined.on('close', () => stream.destroy());
  return joined;
}

interface Mounted {
  readonly Type: string;
  readonly Destination: string;
}

/**
 * Paths where an image declares volumes. The daemon would make them on its disk: without a bound,
 * and allowing devices and setuid programs.
 */
function volumesOf(config: { readonly Volumes?: unknown }): string[] {
  return Object.keys(config.Volumes ?? {}).map((path) => normalize(`/${path}`));
}

/** Replaces a volume: an empty, read-only folder. */
const NO_VOLUME = 'ro,noexec,nosuid,nodev,mode=0555,size=4096,nr_inodes=2';

function configuration(shape: Shape, volumes: readonly string[]): Docker.ContainerCreateOptions {
  const share = (part: number): string => {
    // A tmpfs without a size may take half of the memory.
    const size = Number.isFinite(shape.diskBytes)
      ? `size=${Math.max(4096, Math.floor(shape.diskBytes * part))},`
      : '';
    return `${size}nr_inodes=${INODES}`;
  };
  return {
    Image: shape.image,
    Cmd: ['python3', '-I', '-S', '-c', supervisorSource(), WORKSPACE, INPUTS],
    Entrypoint: [],
    Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    User: '0:0',
    WorkingDir: '/',
    Hostname: 'sandbox',
    Labels: ownerLabels(),
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    // The health check of an image would run as root, outside of every account.
    Healthcheck: { Test: ['NONE'] },
    NetworkDisabled: shape.network !== 'host',
    HostConfig: {
      AutoRemove: true,
      NetworkMode: shape.network === 'host' ? 'host' : 'none',
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      CapAdd: ['SETUID', 'SETGID', 'SETPCAP', 'KILL'],
      SecurityOpt: ['no-new-privileges', `seccomp=${seccompProfile(shape.network)}`],
      IpcMode: 'none',
      MaskedPaths: [...MASKED, ...MASKED_DEVICES],
      ...PRIVATE_CGROUPS,
      LogConfig: { Type: 'none', Config: {} },
      RestartPolicy: { Name: 'no' },
      Tmpfs: {
        ...Object.fromEntries(volumes.map((path) => [path, NO_VOLUME])),
        [WORKSPACE]: `rw,exec,nosuid,nodev,mode=0755,uid=${AUTHOR},gid=${AUTHOR},${share(3 / 4)}`,
        '/tmp': `rw,exec,nosuid,nodev,mode=1777,${share(1 / 8)}`,
        // For process 1 alone; a guest can read files here.
        [INPUTS]: `rw,exec,nosuid,nodev,mode=0755,size=${INPUTS_BYTES},nr_inodes=1024`,
        '/dev/shm': `rw,noexec,nosuid,nodev,mode=1777,${share(1 / 8)}`,
      },
      Mounts: shape.mounts.map((mount) => ({
        Type: 'bind' as const,
        Source: mount.source,
        Target: mount.target,
        ReadOnly: true,
        BindOptions: { Propagation: 'rprivate' as const },
      })),
      Ulimits: [
        { Name: 'core', Soft: 0, Hard: 0 },
        { Name: 'nofile', Soft: 1024, Hard: 1024 },
        { Name: 'memlock', Soft: 65_536, Hard: 65_536 },
      ],
      ...bounds(shape),
      ...(shape.runtime === undefined ? {} : { Runtime: shape.runtime }),
    },
  };
}

function bounds({
  memoryBytes,
  pids,
  cores,
}: {
  memoryBytes: number;
  pids: number;
  cores: number;
}): object {
  const finite = (value: number): number => (Number.isFinite(value) ? Math.round(value) : -1);
  return {
    Memory: finite(memoryBytes),
    MemorySwap: finite(memoryBytes), // memory and swap together: no swap
    PidsLimit: finite(pids),
    CpuPeriod: CPU_PERIOD_US,
    CpuQuota: Number.isFinite(cores) ? Math.max(1000, Math.round(cores * CPU_PERIOD_US)) : -1,
  };
}

export function imageUnknown(image: string): SkeinError {
  const text = `The Docker daemon has no image ${image}.${howToMake(image, 'docker')}`;
  return new SkeinError('SANDBOX_IMAGE_UNKNOWN', text);
}

function withVolume(image: string, path: string): SkeinError {
  return new SkeinError(
    'SANDBOX_UNSUPPORTED',
    `The image ${image} has a volume at ${path}, which no limit bounds; make it without.`,
  );
}

function withoutPython(image: string): SkeinError {
  return new SkeinError(
    'SANDBOX_UNSUPPORTED',
    `The image ${image} has no python3, with which a sandbox is supervised; add it to the image.`,
  );
}
