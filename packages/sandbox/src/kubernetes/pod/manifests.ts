/** The driver's objects in a cluster: a Job for a session, a Service for a gang, a policy for no network. */
import type {
  V1Container,
  V1EnvVar,
  V1Job,
  V1NetworkPolicy,
  V1Service,
  V1VolumeMount,
} from '@kubernetes/client-node';
import type { NetworkPolicy, SessionAttempt } from '../../contract.ts';
import type { AllLimits } from '../../command/limits.ts';
import { PROCESS_ONE } from './control.ts';
import { ownerLabels, RENEWED } from '../cluster/owner-labels.ts';
import { classOf, type Settings } from '../settings.ts';

export const WORKSPACE = '/workspace';
export const INPUTS = '/inputs';
/** The container of the commands, and the one that receives the inputs before it starts. */
export const MAIN = 'sandbox';
export const RECEIVER = 'inputs';
/** The port of rank 0 of a gang: each gang has addresses of its own, so it is always free. */
export const GANG_PORT = 29_500;

const NETWORK = 'skein.dev/network';
const GANG = 'skein.dev/gang';
export const POLICY = 'skein-sandbox-no-network';

/** Memory of process 1 and of the shell before a command, in bytes. */
const OWN_BYTES = 8 * 2 ** 20;
/** Memory that a pod asks for while its worker streams inputs into it. */
const RECEIVER_BYTES = 64 * 2 ** 20;
/** Space for the folders of inputs, per file and in all, in bytes. */
const ENTRY_BYTES = 8192;
/** A Job ends this long after the wall time of a command, whatever its worker does, in seconds. */
const SPARE_SECONDS = 3600;
const LONGEST_SECONDS = 2 ** 31 - 1;
/** How long an ended Job remains when its worker cannot remove it, in seconds. */
const TTL_SECONDS = 300;

export interface JobOrder {
  readonly name: string;
  readonly image: string;
  /** A user of its own for each session: RLIMIT_NPROC counts the processes of a user. */
  readonly uid: number;
  readonly limits: AllLimits;
  readonly network: NetworkPolicy;
  readonly attempt: SessionAttempt | undefined;
  /** Undefined when there are no inputs. */
  readonly inputs: { readonly bytes: number; readonly files: number } | undefined;
  readonly settings: Settings;
}

export function jobManifest(order: JobOrder): V1Job {
  const { name, attempt, settings, limits, network, inputs } = order;
  const { queue, pod, runtimeClass, priorities } = settings;
  const gang = attempt?.gang;
  const size = gang?.size ?? 1;
  const priorityClass = attempt && classOf(attempt.priority, priorities);
  const labels = {
    ...ownerLabels(),
    'app.kubernetes.io/managed-by': 'skein',
    [NETWORK]: network === 'none' ? 'none' : 'cluster',
    ...(gang === undefined ? {} : { [GANG]: name }),
  };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name,
      labels: {
        ...labels,
        ...(queue === undefined ? {} : { 'kueue.x-k8s.io/queue-name': queue }),
        ...(queue === undefined || priorityClass === undefined
          ? {}
          : { 'kueue.x-k8s.io/priority-class': priorityClass }),
      },
      annotations: { [RENEWED]: '0', ...attemptAnnotations(attempt) },
      ...(pod === undefined
        ? {}
        : { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: pod.name, uid: pod.uid }] }),
    },
    spec: {
      backoffLimit: 0,
      completions: size,
      parallelism: size,
      ...(gang === undefined ? {} : { completionMode: 'Indexed' }),
      ttlSecondsAfterFinished: TTL_SECONDS,
      activeDeadlineSeconds: deadlineSeconds(limits.wallMs),
      template: {
        metadata: { labels },
        spec: {
          restartPolicy: 'Never',
          terminationGracePeriodSeconds: 0,
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          ...(gang === undefined ? {} : { subdomain: name }),
          ...(runtimeClass === undefined ? {} : { runtimeClassName: runtimeClass }),
          ...(queue !== undefined || priorityClass === undefined
            ? {}
            : { priorityClassName: priorityClass }),
          securityContext: {
            runAsNonRoot: true,
            runAsUser: order.uid,
            runAsGroup: order.uid,
            fsGroup: order.uid,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          ...(inputs === undefined ? {} : { initContainers: [receiver(order)] }),
          containers: [mainContainer(order)],
          volumes: [
            {
              name: 'disk',
              emptyDir: {
                medium: 'Memory',
                ...(Number.isFinite(limits.diskBytes)
                  ? { sizeLimit: quantity(limits.diskBytes) }
                  : {}),
              },
            },
            ...(inputs === undefined
              ? []
              : [
                  {
                    name: 'inputs',
                    emptyDir: {
                      sizeLimit: quantity(inputs.bytes + (inputs.files + 2) * ENTRY_BYTES),
                    },
                  },
                ]),
          ],
        },
      },
    },
  };
}

function mainContainer({ image, limits, attempt, inputs }: JobOrder): V1Container {
  const cpu = `${Math.ceil(limits.cores * 1000)}m`;
  const resources = Number.isFinite(limits.memoryBytes)
    ? { cpu, memory: quantity(limits.memoryBytes + OWN_BYTES) }
    : { cpu };
  return {
    ...container(MAIN, image),
    command: ['/bin/sh', '-c', PROCESS_ONE],
    env: attemptEnvironment(attempt),
    resources: { requests: resources, limits: resources },
    volumeMounts: [
      // One file system, so that its size bounds all of them together.
      disk('workspace', WORKSPACE),
      disk('tmp', '/tmp'),
      disk('shm', '/dev/shm'),
      ...(inputs === undefined ? [] : [{ name: 'inputs', mountPath: INPUTS, readOnly: true }]),
    ],
  };
}

/** Unpacks what its worker sends: the only program that may write to the inputs. */
function receiver({ image }: JobOrder): V1Container {
  const resources = { cpu: '1', memory: quantity(RECEIVER_BYTES) };
  return {
    ...container(RECEIVER, image),
    command: [
      'tar',
      '--extract',
      '--file=-',
      '--no-same-owner',
      '--touch',
      `--directory=${INPUTS}`,
    ],
    resources: { requests: { ...resources, cpu: '100m' }, limits: resources },
    volumeMounts: [{ name: 'inputs', mountPath: INPUTS }],
  };
}

function container(
  name: string,
  image: string,
): Pick<V1Container, 'name' | 'image' | 'workingDir' | 'stdin' | 'stdinOnce' | 'securityContext'> {
  return {
    name,
    image,
    workingDir: '/',
    // Its stdin ends with the first connection: a sandbox does not outlive its worker.
    stdin: true,
    stdinOnce: true,
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      privileged: false,
      readOnlyRootFilesystem: true,
    },
  };
}

function disk(subPath: string, mountPath: string): V1VolumeMount {
  return { name: 'disk', mountPath, subPath };
}

function attemptAnnotations(attempt: SessionAttempt | undefined): Record<string, string> {
  if (attempt === undefined) return {};
  return {
    'skein.dev/job': attempt.job,
    'skein.dev/attempt': String(attempt.number),
    'skein.dev/token': String(attempt.token),
  };
}

/** For people and sidecars that look into the pod; a command has the environment of its job only. */
function attemptEnvironment(attempt: SessionAttempt | undefined): V1EnvVar[] {
  return Object.entries({
    SKEIN_JOB: attempt?.job,
    SKEIN_ATTEMPT: attempt?.number,
    SKEIN_TOKEN: attempt?.token,
  }).flatMap(([name, value]) => (value === undefined ? [] : [{ name, value: String(value) }]));
}

function deadlineSeconds(wallMs: number): number {
  return Math.min(Math.ceil(wallMs / 1000) + SPARE_SECONDS, LONGEST_SECONDS);
}

function quantity(bytes: number): string {
  return String(Math.ceil(bytes));
}

/** Lets no packet in or out of sandboxes without a network. */
export function noNetworkPolicy(): V1NetworkPolicy {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: POLICY, labels: { 'app.kubernetes.io/managed-by': 'skein' } },
    spec: {
      podSelector: { matchLabels: { [NETWORK]: 'none' } },
      policyTypes: ['Ingress', 'Egress'],
    },
  };
}

/** Gives the pods of a gang names: `NAME-RANK.NAME`. The Job owns it, so it is removed with it. */
export function gangService(name: string, jobUid: string): V1Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      labels: ownerLabels(),
      ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name, uid: jobUid }],
    },
    spec: {
      clusterIP: 'None',
      // The members look for each other before they are all ready.
      publishNotReadyAddresses: true,
      selector: { [GANG]: name },
      ports: [{ name: 'rank0', port: GANG_PORT }],
    },
  };
}
