/**
 * The `kubernetes` driver: a session is a Job with one pod in a cluster, a command is a program that
 * `exec` starts in it. It touches no cluster unless a namespace is named for it.
 *
 * A cluster has no folders of this machine: files travel as tar streams over the same connections.
 * manifests.ts says how a pod is hardened, process-one.sh how it ends with its worker,
 * owner-labels.ts how leftovers are found.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SkeinError } from '@skein/api';
import type {
  Availability,
  Enforcement,
  SandboxDriver,
  SandboxSession,
  SessionOptions,
} from '../contract.ts';
import { ownerIsAlive, thisMachine } from '../host/owner.ts';
import { registeredName } from '../images.ts';
import { refuseUnsupported } from '../command/limits.ts';
import { remembered } from '../probe/remembered.ts';
import { clusterError, ClusterError, connectCluster, type Cluster } from './cluster/cluster.ts';
import { enforcement } from './trial/enforcement.ts';
import { noNetworkPolicy } from './pod/manifests.ts';
import { openPod, removeJob } from './pod/open-pod.ts';
import {
  findDead,
  LABEL,
  LEASE_MS,
  type OwnedJob,
  type SeenCounts,
} from './cluster/owner-labels.ts';
import { kubernetesSession } from './session.ts';
import { readSettings, type KubernetesOptions, type Settings } from './settings.ts';
import { tryCluster } from './trial/trial.ts';

export type { KubernetesOptions } from './settings.ts';

/** Repository, tag and digest. */
const REFERENCE = /^[A-Za-z0-9][\w./:@-]{0,510}$/;
const FIX_RIGHTS = 'docs/guide/kubernetes-jobs.md has the Role that the driver needs.';

/** @param options default: the environment's. */
export function createKubernetes(options: KubernetesOptions = {}): SandboxDriver {
  return new KubernetesDriver(options);
}

interface Connected {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly settings: Settings;
}

class KubernetesDriver implements SandboxDriver {
  readonly name = 'kubernetes';
  readonly #options: KubernetesOptions;
  readonly #sessions = new Set<SandboxSession>();
  readonly #closing = new AbortController();
  #connected: Promise<Connected> | undefined;
  #availability: Promise<Availability> | undefined;

  constructor(options: KubernetesOptions) {
    this.#options = options;
  }

  takesImage(image: string): boolean {
    try {
      return imageOf(image, readSettings(this.#options, process.env)) !== undefined;
    } catch {
      return false;
    }
  }

  availability(): Promise<Availability> {
    this.#availability ??= this.#find();
    return this.#availability;
  }

  async open(options: SessionOptions): Promise<SandboxSession> {
    const found = await this.availability();
    if (!found.available) {
      throw new SkeinError(
        'SANDBOX_UNAVAILABLE',
        `The kubernetes sandbox is not available: ${found.reason}`,
      );
    }
    refuseUnsupported('kubernetes', found.enforcement, options);
    if (options.attempt?.gang !== undefined && options.network === 'none') {
      throw new SkeinError(
        'SANDBOX_UNSUPPORTED',
        'The members of a gang in a cluster reach each other over its network: they need network "host", and trust.',
      );
    }
    return await this.#open(await this.#connect(), options);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled([...this.#sessions].map((session) => session.close()));
  }

  #connect(): Promise<Connected> {
    this.#connected ??= (async () => {
      const settings = readSettings(this.#options, process.env);
      const { namespace, context } = settings;
      if (namespace === undefined) {
        throw new SkeinError(
          'SANDBOX_UNAVAILABLE',
          'no namespace of a cluster is named for sandboxes',
        );
      }
      return { cluster: await connectCluster(context), namespace, settings };
    })();
    return this.#connected;
  }

  async #find(): Promise<Availability> {
    try {
      const { cluster, namespace, settings } = await this.#connect();
      const { gitVersion } = await cluster.request<{ gitVersion: string }>('GET', '/version');
      await createPolicy(cluster, namespace);
      await this.#sweep();
      const key = [
        'kubernetes',
        cluster.server,
        gitVersion,
        namespace,
        settings.image,
        settings.runtimeClass,
      ];
      const found = await remembered(key.join(' '), async () => await this.#try());
      const runtime =
        settings.runtimeClass === undefined ? '' : `, runtime class ${settings.runtimeClass}`;
      return { available: true, version: `${gitVersion}${runtime}`, enforcement: found };
    } catch (thrown) {
      const error = clusterError(thrown, 'answer');
      const isNotNamed = readNamespace(this.#options) === undefined;
      // What may pass is tried again by the next caller.
      if (error.code === 'SANDBOX_NOT_STARTED') this.#availability = undefined;
      return {
        available: false,
        reason: error.message,
        fix: isNotNamed
          ? 'Name a namespace in SKEIN_KUBERNETES_NAMESPACE: Jobs are created there.'
          : isForbidden(thrown)
            ? FIX_RIGHTS
            : error.row.fix,
      };
    }
  }

  async #try(): Promise<Enforcement> {
    const connected = await this.#connect();
    const first = await openPod(this.#place(connected, undefined), TRIAL);
    const { groups } = await first.pod.counts();
    await first.pod.end();
    await first.remove();
    return await tryCluster((options) => this.#open(connected, options), enforcement(groups));
  }

  #place({ cluster, namespace, settings }: Connected, image: string | undefined) {
    const reference = imageOf(image, settings);
    if (reference === undefined) {
      throw new SkeinError(
        'SANDBOX_IMAGE_UNKNOWN',
        `${JSON.stringify(image)} is not an image of this cluster: SKEIN_KUBERNETES_IMAGES names the repository of registered images.`,
      );
    }
    return { cluster, namespace, settings, image: reference };
  }

  async #open(connected: Connected, options: SessionOptions): Promise<SandboxSession> {
    if (this.#closing.signal.aborted) {
      throw new SkeinError('SANDBOX_UNAVAILABLE', 'The driver kubernetes is closed.');
    }
    const stops = [options.signal, this.#closing.signal].filter((each) => each !== undefined);
    const signal = AbortSignal.any(stops);
    const opened = await openPod(this.#place(connected, options.image), { ...options, signal });
    const session = kubernetesSession({
      ...opened,
      remove: async () => {
        this.#sessions.delete(session);
        await opened.remove();
      },
    });
    this.#sessions.add(session);
    return session;
  }

  /** Removes what dead workers left: at once on this machine, and after a while everywhere. */
  async #sweep(): Promise<void> {
    const { cluster, namespace } = await this.#connect();
    const jobs = `/apis/batch/v1/namespaces/${namespace}/jobs`;
    let seen: SeenCounts = new Map();
    const look = async (): Promise<void> => {
      const query = { labelSelector: `${LABEL}=true` };
      const { items } = await cluster.request<{ items: OwnedJob[] }>('GET', jobs, { query });
      const found = findDead(items, seen, performance.now(), {
        machine: thisMachine(),
        isAlive: ownerIsAlive,
      });
      seen = found.seen;
      await Promise.all(found.dead.map((name) => removeJob(cluster, `${jobs}/${name}`)));
    };
    await look();
    const { signal } = this.#closing;
    void (async () => {
      for (;;) {
        await sleep(LEASE_MS, undefined, { signal, ref: false });
        await look().catch(() => undefined);
      }
    })().catch(() => undefined);
  }
}

const TRIAL: SessionOptions = {
  mounts: [],
  limits: {
    wallMs: 60_000,
    memoryBytes: 32 * 2 ** 20,
    pids: 16,
    outputBytes: 65_536,
    fileBytes: 2 ** 20,
    diskBytes: 2 ** 20,
  },
  network: 'none',
  untrusted: true,
};

/** @returns undefined for an image that the cluster has no name for. */
function imageOf(
  image: string | undefined,
  { image: byDefault, images }: Settings,
): string | undefined {
  if (image === undefined) return byDefault;
  const name = registeredName(image);
  if (name !== undefined) return images === undefined ? undefined : `${images}:${name}`;
  return REFERENCE.test(image) && !image.includes('..') ? image : undefined;
}

function readNamespace(options: KubernetesOptions): string | undefined {
  return options.namespace ?? (process.env['SKEIN_KUBERNETES_NAMESPACE'] || undefined);
}

function isForbidden(thrown: unknown): boolean {
  const error = thrown instanceof SkeinError ? thrown.cause : thrown;
  return error instanceof ClusterError && (error.status === 403 || error.status === 401);
}

async function createPolicy(cluster: Cluster, namespace: string): Promise<void> {
  const path = `/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies`;
  try {
    await cluster.request('POST', path, { body: noNetworkPolicy() });
  } catch (error) {
    // It exists; the trial shows whether it holds.
    if (!(error instanceof ClusterError && error.status === 409)) throw error;
  }
}
