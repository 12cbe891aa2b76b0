/** Makes the pods of Jobs, and their conditions, as the controllers of a cluster do. */
import type { V1JobSpec } from '@kubernetes/client-node';
import type { KubeObject, Objects } from './objects.ts';
import { phaseOf } from './selectors.ts';

const JOBS = 'batch/jobs';
const INDEX = 'batch.kubernetes.io/job-completion-index';

export class JobsController {
  readonly #objects: Objects;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #queued = new Set<string>();
  #isClosed = false;

  constructor(objects: Objects) {
    this.#objects = objects;
    objects.onChange(({ type, resource, object: { metadata } }) => {
      const { namespace = '', name, labels = {} } = metadata;
      const job = resource === JOBS ? name : labels['batch.kubernetes.io/job-name'];
      if (job === undefined || (resource !== JOBS && resource !== 'pods')) return;
      if (resource === JOBS && type === 'DELETED') this.#remove(`${namespace}/${job}`);
      else this.#later(namespace, job);
    });
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  /** Deletes what an owner leaves behind. */
  collectGarbage(uid: string): void {
    for (const resource of ['pods', 'services', JOBS]) {
      for (const { metadata } of this.#objects.list(resource)) {
        if (metadata.ownerReferences?.some((owner) => owner.uid === uid) !== true) continue;
        if (resource === 'pods') this.deletePod(metadata.namespace ?? '', metadata.name);
        else this.#objects.remove(resource, metadata.namespace ?? '', metadata.name);
      }
    }
  }

  /** Marks it; the kubelet ends it and removes it. */
  deletePod(namespace: string, name: string, graceSeconds?: number): KubeObject | undefined {
    return this.#objects.update('pods', namespace, name, (pod) => {
      const own = Number(pod.spec?.['terminationGracePeriodSeconds'] ?? 30);
      pod.metadata.deletionTimestamp ??= new Date().toISOString().replace(/\.\d+/, '');
      pod.metadata.deletionGracePeriodSeconds = graceSeconds ?? own;
      return pod;
    });
  }

  /** Once for all changes of a moment. */
  #later(namespace: string, name: string): void {
    const key = `${namespace}/${name}`;
    if (this.#queued.has(key)) return;
    this.#queued.add(key);
    setImmediate(() => {
      this.#queued.delete(key);
      if (!this.#isClosed) this.#reconcile(namespace, name);
    });
  }

  #reconcile(namespace: string, name: string): void {
    const job = this.#objects.get(JOBS, namespace, name);
    if (job === undefined) return;
    const spec = job.spec as unknown as V1JobSpec;
    if (spec.suspend === true || isFinished(job)) return;
    const { completions = 1, activeDeadlineSeconds } = spec;
    const pods = this.#objects
      .list('pods', namespace)
      .filter(({ metadata }) =>
        metadata.ownerReferences?.some(({ uid }) => uid === job.metadata.uid),
      );
    if (pods.length === 0 && job.status?.['startTime'] === undefined) {
      for (let index = 0; index < completions; index++)
        this.#makePod(job, spec, index, completions);
      this.#status(job, { startTime: new Date().toISOString(), active: completions, ready: 0 });
      if (activeDeadlineSeconds !== undefined) {
        this.#after(`${namespace}/${name}`, activeDeadlineSeconds, () =>
          this.#finish(job, 'Failed', 'DeadlineExceeded'),
        );
      }
      return;
    }
    const count = (phase: string): number =>
      pods.filter(({ status }) => phaseOf(status) === phase).length;
    const [succeeded, failed] = [count('Succeeded'), count('Failed')];
    if (failed > 0 || pods.length < completions)
      this.#finish(job, 'Failed', 'BackoffLimitExceeded', {
        succeeded,
        failed: Math.max(failed, 1),
      });
    else if (succeeded === completions)
      this.#finish(job, 'Complete', 'CompletionsReached', { succeeded });
  }

  #finish(job: KubeObject, type: 'Complete' | 'Failed', reason: string, counts = {}): void {
    const { namespace = '', name } = job.metadata;
    const now = this.#objects.get(JOBS, namespace, name);
    if (now === undefined || isFinished(now)) return;
    const at = new Date().toISOString();
    const condition = { type, status: 'True', reason, lastTransitionTime: at };
    this.#status(job, { ...counts, active: 0, completionTime: at, conditions: [condition] });
    if (type === 'Failed') {
      for (const { metadata, status } of this.#objects.list('pods', namespace)) {
        const isOwn =
          metadata.ownerReferences?.some(({ uid }) => uid === job.metadata.uid) === true;
        const hasEnded = ['Succeeded', 'Failed'].includes(phaseOf(status));
        if (isOwn && !hasEnded) this.deletePod(namespace, metadata.name);
      }
    }
    const ttl = (job.spec as unknown as V1JobSpec).ttlSecondsAfterFinished;
    if (ttl === undefined) return;
    this.#after(`${namespace}/${name}`, ttl, () => {
      this.#objects.remove(JOBS, namespace, name);
      this.collectGarbage(job.metadata.uid);
    });
  }

  #makePod(
    job: KubeObject,
    { template, completionMode }: V1JobSpec,
    index: number,
    size: number,
  ): void {
    const { namespace = '', name, uid } = job.metadata;
    const isIndexed = completionMode === 'Indexed';
    const suffix = isIndexed ? `${index}-${random()}` : random();
    const rank = { [INDEX]: String(index) };
    // The types of the client are classes; these are plain objects.
    const own = Object.assign<Record<string, unknown>, unknown>({}, template.spec);
    const [container, ...others] = template.spec?.containers ?? [];
    const env = isIndexed ? [{ name: 'JOB_COMPLETION_INDEX', value: String(index) }] : [];
    this.#objects.create('pods', namespace, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: `${name}-${suffix}`,
        labels: {
          ...template.metadata?.labels,
          'batch.kubernetes.io/job-name': name,
          'job-name': name,
          ...(isIndexed ? rank : {}),
        },
        annotations: {
          ...template.metadata?.annotations,
          ...(isIndexed ? rank : {}),
          'test/size': String(size),
        },
        ownerReferences: [{ kind: 'Job', name, uid }],
        uid: '',
        resourceVersion: '',
        creationTimestamp: '',
      },
      spec: {
        ...own,
        ...(isIndexed ? { hostname: `${name}-${index}` } : {}),
        containers: [
          Object.assign({}, container, { env: [...(container?.env ?? []), ...env] }),
          ...others,
        ],
      },
      status: { phase: 'Pending' },
    });
  }

  #status(job: KubeObject, change: Record<string, unknown>): void {
    const { namespace = '', name } = job.metadata;
    this.#objects.update(JOBS, namespace, name, (now) => ({
      ...now,
      status: { ...now.status, ...change },
    }));
  }

  #after(key: string, seconds: number, act: () => void): void {
    clearTimeout(this.#timers.get(key));
    this.#timers.set(key, setTimeout(act, Math.min(seconds * 1000, 2 ** 31 - 1)).unref());
  }

  #remove(key: string): void {
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
  }
}

function isFinished({ status }: KubeObject): boolean {
  const conditions = (status?.['conditions'] ?? []) as { type: string }[];
  return conditions.some(({ type }) => type === 'Complete' || type === 'Failed');
}

function random(): string {
  return Math.random().toString(36).slice(2, 7).padEnd(5, 'x');
}
