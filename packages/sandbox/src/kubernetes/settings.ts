/** Which cluster the driver uses and how its pods look: options, else variables of the environment. */
import { SkeinError } from '@skein/api';

export interface KubernetesOptions {
  /** Where Jobs are created; without it the driver touches no cluster. Default: SKEIN_KUBERNETES_NAMESPACE. */
  readonly namespace?: string | undefined;
  /** A context of the kubeconfig. Default: SKEIN_KUBERNETES_CONTEXT, else its current one; in a pod, its service account. */
  readonly context?: string | undefined;
  /** Image of sessions that name none; it needs sh, coreutils and GNU tar. Default: SKEIN_KUBERNETES_IMAGE. */
  readonly image?: string | undefined;
  /** The repository whose tags are the registered images. Default: SKEIN_KUBERNETES_IMAGES; none. */
  readonly images?: string | undefined;
  /** For example `gvisor`. Default: SKEIN_KUBERNETES_RUNTIME_CLASS; the cluster's. */
  readonly runtimeClass?: string | undefined;
  /** LocalQueue of Kueue. Default: SKEIN_KUBERNETES_QUEUE; none. */
  readonly queue?: string | undefined;
  /** `NAME:LOWEST,…`. Default: SKEIN_KUBERNETES_PRIORITIES; none. */
  readonly priorities?: string | undefined;
}

/** A priority class, and the lowest priority of a job that gets it. */
export interface PriorityClass {
  readonly name: string;
  readonly lowest: number;
}

export interface Settings {
  readonly namespace: string | undefined;
  readonly context: string | undefined;
  readonly image: string;
  readonly images: string | undefined;
  readonly runtimeClass: string | undefined;
  readonly queue: string | undefined;
  /** The highest first. */
  readonly priorities: readonly PriorityClass[];
  /** The pod that this process runs in, which then owns the Jobs; from POD_NAME, POD_UID, POD_NAMESPACE. */
  readonly pod: { readonly name: string; readonly uid: string } | undefined;
}

const DEFAULT_IMAGE = 'debian:13-slim';
/** DNS labels and subdomains: what names of Kubernetes are made of. */
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws SkeinError USAGE. */
export function readSettings(given: KubernetesOptions, env: Environment): Settings {
  const take = (option: keyof KubernetesOptions, variable: string): string | undefined =>
    given[option] ?? (env[`SKEIN_KUBERNETES_${variable}`] || undefined);
  const name = (option: keyof KubernetesOptions, variable: string): string | undefined => {
    const value = take(option, variable);
    if (value !== undefined && !NAME.test(value)) throw notAName(variable, value);
    return value;
  };
  const namespace = name('namespace', 'NAMESPACE');
  const [podName, podUid] = [env['POD_NAME'], env['POD_UID']];
  // An owner has to be in the same namespace; one that is not would have its Jobs deleted at once.
  const isHere = namespace !== undefined && env['POD_NAMESPACE'] === namespace;
  return {
    namespace,
    context: take('context', 'CONTEXT'),
    image: take('image', 'IMAGE') ?? DEFAULT_IMAGE,
    images: take('images', 'IMAGES'),
    runtimeClass: name('runtimeClass', 'RUNTIME_CLASS'),
    queue: name('queue', 'QUEUE'),
    priorities: readPriorities(take('priorities', 'PRIORITIES')),
    pod: podName && podUid && isHere ? { name: podName, uid: podUid } : undefined,
  };
}

function readPriorities(text: string | undefined): PriorityClass[] {
  if (text === undefined) return [];
  const classes = text.split(',').map((entry): PriorityClass => {
    const [, name = '', lowest] = /^([^:]*):(-?\d{1,9})$/.exec(entry.trim()) ?? [];
    if (!NAME.test(name)) throw notAName('PRIORITIES', entry);
    return { name, lowest: Number(lowest) };
  });
  return classes.sort((a, b) => b.lowest - a.lowest);
}

/** The class with the highest bound that the priority reaches. */
export function classOf(priority: number, classes: readonly PriorityClass[]): string | undefined {
  return classes.find(({ lowest }) => priority >= lowest)?.name;
}

function notAName(variable: string, value: string): SkeinError {
  const form =
    variable === 'PRIORITIES' ? 'NAME:LOWEST, such as low:-1000,high:100' : 'a name of Kubernetes';
  return new SkeinError(
    'USAGE',
    `SKEIN_KUBERNETES_${variable}: ${JSON.stringify(value)} is not ${form}.`,
  );
}
