/**
 * Opens the pod of a session:
 *
 *     Job ──► pod ──► inputs are streamed into its init container ──► process 1 answers
 *
 * Whatever fails on the way, what was created is removed.
 */
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { SkeinError } from '@skein/api';
import type { SandboxSession, SessionAttempt, SessionOptions } from '../../contract.ts';
import { allLimits, type AllLimits } from '../../command/limits.ts';
import { openChannel } from '../cluster/channel.ts';
import { clusterError, ClusterError, type Cluster } from '../cluster/cluster.ts';
import { controlOver } from './control.ts';
import { readInputs, type Inputs } from './inputs.ts';
import { GANG_PORT, gangService, jobManifest, MAIN, RECEIVER } from './manifests.ts';
import { RENEW_MS, RENEWED } from '../cluster/owner-labels.ts';
import { podAt, type Pod } from './pod.ts';
import { hasEnded, runningIn } from './pod-state.ts';
import type { Settings } from '../settings.ts';
import { watchPods, type WatchedPods } from '../cluster/watch-pods.ts';

/** How long a pod may take to start, in milliseconds; with a queue, as long as the queue takes. */
const START_MS = 300_000;
/** How long the state of the other pods of a gang may take, in milliseconds. */
const STATE_MS = 2000;
/** Users of sandboxes: beyond the users of machines and images. */
const FIRST_UID = 1_000_000_000;
const RANK = 'batch.kubernetes.io/job-completion-index';

export interface OpenedPod {
  readonly pod: Pod;
  readonly limits: AllLimits;
  /** Where the members of a gang find rank 0. */
  readonly master: SandboxSession['master'];
  /** Removes everything; of a gang, when no other member is left. */
  readonly remove: () => Promise<void>;
}

export interface Place {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly settings: Settings;
  readonly image: string;
}

/** @throws SkeinError; the reason of the session's signal. */
export async function openPod(place: Place, options: SessionOptions): Promise<OpenedPod> {
  const { cluster, namespace, settings, image } = place;
  const { attempt, network } = options;
  const gang = attempt?.gang;
  const limits = allLimits(options.limits);
  const inputs = await readInputs(options.mounts);
  const name = attempt && gang ? gangName(attempt) : `skein-${randomBytes(8).toString('hex')}`;
  const uid = FIRST_UID + randomInt(FIRST_UID);
  const jobs = `/apis/batch/v1/namespaces/${namespace}/jobs`;
  const manifest = jobManifest({ name, image, uid, limits, network, attempt, inputs, settings });
  const pods = watchPods(cluster, namespace, `batch.kubernetes.io/job-name=${name}`);
  const renewing = new AbortController();

  const remove = async (): Promise<void> => {
    renewing.abort();
    pods.close();
    await removeJob(cluster, `${jobs}/${name}`);
  };
  try {
    const job = await createJob(cluster, jobs, name, manifest, options.signal);
    if (gang !== undefined) await createService(cluster, namespace, name, job);
    void renew(cluster, `${jobs}/${name}`, renewing.signal);
    const find = (container: string) => (found: readonly V1Pod[]) => {
      const own = found.find(
        ({ metadata }) => metadata?.labels?.[RANK] === String(gang?.rank ?? 0),
      );
      const pod = gang === undefined ? found[0] : own;
      return pod && runningIn(pod, container);
    };
    const started = (container: string): Promise<string> =>
      waitForStart(place, name, pods, find(container), options.signal);
    if (inputs !== undefined)
      await sendInputs(cluster, await started(RECEIVER), inputs, options.signal);
    const path = await started(MAIN);
    const control = controlOver(await openChannel(cluster, path, MAIN, [], options.signal));
    const pod = podAt(cluster, path, pods, control);
    await pod.counts();
    const removeLast = async (): Promise<void> => {
      const isLast = (found: readonly V1Pod[]): boolean =>
        found.every((each) => each.metadata?.name === pod.name || hasEnded(each));
      if (await pods.until(isLast, AbortSignal.timeout(STATE_MS))) return await remove();
      renewing.abort();
      pods.close();
    };
    const master = gang && { host: `${name}-0.${name}`, port: GANG_PORT };
    return { pod, limits, master, remove: gang === undefined ? remove : removeLast };
  } catch (error) {
    await remove().catch(() => undefined);
    options.signal?.throwIfAborted();
    throw clusterError(error, 'start a sandbox');
  }
}

/**
 * The members of a gang find the same Job: their fencing tokens follow each other in the order of
 * their ranks, and each assembly of a gang has new ones.
 */
export function gangName({ gang, token }: Pick<SessionAttempt, 'gang' | 'token'>): string {
  const id = createHash('sha256')
    .update(gang?.id ?? '')
    .digest('hex')
    .slice(0, 12);
  return `skein-gang-${id}-${token - (gang?.rank ?? 0)}`;
}

async function createJob(
  cluster: Cluster,
  jobs: string,
  name: string,
  body: V1Job,
  signal: AbortSignal | undefined,
): Promise<V1Job> {
  try {
    return await cluster.request<V1Job>('POST', jobs, { body, signal });
  } catch (error) {
    // A repeated request, or another member of the gang, was first.
    if (!isConflict(error)) throw error;
    return await cluster.request<V1Job>('GET', `${jobs}/${name}`, { signal });
  }
}

async function createService(
  cluster: Cluster,
  namespace: string,
  name: string,
  job: V1Job,
): Promise<void> {
  const body = gangService(name, job.metadata?.uid ?? '');
  try {
    await cluster.request('POST', `/api/v1/namespaces/${namespace}/services`, { body });
  } catch (error) {
    if (!isConflict(error)) throw error;
  }
}

/** @returns the path of the pod. */
async function waitForStart(
  { cluster, namespace, settings }: Place,
  name: string,
  pods: WatchedPods,
  find: (pods: readonly V1Pod[]) => V1Pod | undefined,
  signal: AbortSignal | undefined,
): Promise<string> {
  const late = settings.queue === undefined ? AbortSignal.timeout(START_MS) : undefined;
  const stops = [signal, late].filter((each) => each !== undefined);
  try {
    const pod = await pods.until(find, AbortSignal.any(stops));
    return `/api/v1/namespaces/${namespace}/pods/${pod.metadata?.name ?? ''}`;
  } catch (error) {
    if (late?.aborted !== true || signal?.aborted === true) throw error;
    const why = await lastEvent(cluster, namespace, name);
    throw new SkeinError(
      'SANDBOX_NOT_STARTED',
      `The pod of the sandbox did not start within ${START_MS / 1000} s${why}.`,
    );
  }
}

/** The cluster's last event about the Job or its pod, such as why no node takes it. */
async function lastEvent(cluster: Cluster, namespace: string, name: string): Promise<string> {
  interface Event {
    readonly message?: string;
    readonly involvedObject?: { readonly name?: string };
  }
  try {
    const path = `/api/v1/namespaces/${namespace}/events`;
    const { items } = await cluster.request<{ items: Event[] }>('GET', path);
    const own = items.filter(({ involvedObject }) => involvedObject?.name?.startsWith(name));
    const message = own.at(-1)?.message;
    return message === undefined ? '' : `: ${message.replace(/\.$/, '')}`;
  } catch {
    return '';
  }
}

async function sendInputs(
  cluster: Cluster,
  path: string,
  inputs: Inputs,
  signal: AbortSignal | undefined,
): Promise<void> {
  const channel = await openChannel(cluster, path, RECEIVER, [], signal);
  channel.stdout.resume();
  channel.stderr.resume();
  try {
    await pipeline(inputs.archive(), channel.stdin, { signal });
    await channel.ended;
  } finally {
    channel.close();
  }
}

/** Counts up, so that other workers see that this one lives. */
async function renew(cluster: Cluster, path: string, signal: AbortSignal): Promise<void> {
  for (let count = 1; !signal.aborted; count++) {
    await sleep(RENEW_MS, undefined, { signal, ref: false }).catch(() => undefined);
    if (signal.aborted) return;
    const body = { metadata: { annotations: { [RENEWED]: String(count) } } };
    await cluster.request('PATCH', path, { body, signal }).catch(() => undefined);
  }
}

/** With its pods. @throws ClusterError. */
export async function removeJob(cluster: Cluster, path: string): Promise<void> {
  try {
    const body = { propagationPolicy: 'Background' };
    await cluster.request('DELETE', path, { body });
  } catch (error) {
    if (!(error instanceof ClusterError && error.status === 404)) throw error;
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof ClusterError && error.status === 409;
}
