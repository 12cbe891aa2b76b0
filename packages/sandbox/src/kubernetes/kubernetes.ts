/**
 * The `kubernetes` driver: a session is a Job with one pod in a cluster, a command is a program that
 * `exec` starts in it. It touches no cluster unless a namespace is named for it.
 *
 * A cluster has no folders of this machine: files travel as tar streams over the same connections.
 * manifests.ts defines how a pod is hardened, process-one.sh how it ends with its worker,
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
const FIX_SETTINGS =
  'Correct what the message names; docs/guide/kubernetes-jobs.md has the variables and the credentials.';
const FIX_RIGHTS = 'docs/guide/kubernetes-jobs.md has the Role that the driver needs.';

interface Connected {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly settings: Settings;
}

/** @param options default: the environment's. */
export function createKubernetes(options: KubernetesOptions = {}): SandboxDriver {
  const sessions = new Set<SandboxSession>();
  const closing = new AbortController();
  let connected: Promise<Connected> | undefined;
  let known: Promise<Availability> | undefined;

  const connect = (): Promise<Connected> =>
    (connected ??= (async () => {
      const settings = readSettings(options, process.env);
      const { namespace, context } = settings;
      if (namespace === undefined) {
        const message = 'no namespace of a cluster is named for sandboxes';
        throw new SkeinError('SANDBOX_UNAVAILABLE', message);
      }
      return { cluster: await connectCluster(context), namespace, settings };
    })());

  async function find(): Promise<Availability> {
    try {
      const { cluster, namespace, settings } = await connect();
      const { image, runtimeClass } = settings;
      const { gitVersion } = await cluster.request<{ gitVersion: string }>('GET', '/version');
      await createPolicy(cluster, namespace);
      await sweep();
      const key = ['kubernetes', cluster.server, gitVersion, namespace, image, runtimeClass];
      const found = await remembered(key.join(' '), trial);
      const runtime = runtimeClass === undefined ? '' : `, runtime class ${runtimeClass}`;
      return { available: true, version: `${gitVersion}${runtime}`, enforcement: found };
    } catch (thrown) {
      const error = clusterError(thrown, 'answer');
      const isNotNamed = readNamespace(options) === undefined;
      // The next caller tries a failure again that may pass.
      if (error.code === 'SANDBOX_NOT_STARTED') known = undefined;
      return {
        available: false,
        reason: error.message,
        fix: isNotNamed
          ? 'Name a namespace in SKEIN_KUBERNETES_NAMESPACE: Jobs are created there.'
          : isForbidden(thrown)
            ? FIX_RIGHTS
            : error.code === 'USAGE'
              ? FIX_SETTINGS
              : error.row.fix,
      };
    }
  }

  async function trial(): Promise<Enforcement> {
    const at = await connect();
    const first = await openPod(placeOf(at, undefined), TRIAL);
    const { groups } = await first.pod.counts();
    await first.pod.end();
    await first.remove();
    return await tryCluster((asked) => openAt(at, asked), enforcement(groups));
  }

  async function openAt(at: Connected, asked: SessionOptions): Promise<SandboxSession> {
    if (closing.signal.aborted) {
      throw new SkeinError('SANDBOX_UNAVAILABLE', 'The driver kubernetes is closed.');
    }
    const stops = [asked.signal, closing.signal].filter((each) => each !== undefined);
    const signal = AbortSignal.any(stops);
    const opened = await openPod(placeOf(at, asked.image), { ...asked, signal });
    const session = kubernetesSession({
      ...opened,
      remove: async () => {
        sessions.delete(session);
        await opened.remove();
      },
    });
    sessions.add(session);
    return session;
  }

  /** Removes what dead workers left: at once on this machine, and after a while everywhere. */
  async function sweep(): Promise<void> {
    const { cluster, namespace } = await connect();
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
    const { signal } = closing;
    void (async () => {
      for (;;) {
        await sleep(LEASE_MS, undefined, { signal, ref: false });
        await look().catch(() => undefined);
      }
    })().catch(() => undefined);
  }

  const availability = (): Promise<Availability> => (known ??= find());
  return {
    name: 'kubernetes',
    takesImage(image) {
      try {
        return imageOf(image, readSettings(options, process.env)) !== undefined;
      } catch {
        return false;
      }
    },
    availability,
    async open(asked) {
      const found = await availability();
      if (!found.available) {
        const message = `The kubernetes sandbox is not available: ${found.reason}`;
        throw new SkeinError('SANDBOX_UNAVAILABLE', message);
      }
      refuseUnsupported('kubernetes', found.enforcement, asked);
      if (asked.attempt?.gang !== undefined && asked.network === 'none') {
        throw new SkeinError(
          'SANDBOX_UNSUPPORTED',
          'The members of a gang in a cluster reach each other over its network: they need network "host", and trust.',
        );
      }
      return await openAt(await connect(), asked);
    },
    async close() {
      closing.abort();
      await Promise.allSettled([...sessions].map((session) => session.close()));
    },
  };
}

function placeOf({ cluster, namespace, settings }: Connected, image: string | undefined) {
  const reference = imageOf(image, settings);
  if (reference === undefined) {
    throw new SkeinError(
      'SANDBOX_IMAGE_UNKNOWN',
      `${JSON.stringify(image)} is not an image of this cluster: SKEIN_KUBERNETES_IMAGES names the repository of registered images.`,
    );
  }
  return { cluster, namespace, settings, image: reference };
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
