/**
 * The objects of the test cluster, with revisions and a history for watches, as etcd has them.
 */
import { randomUUID } from 'node:crypto';

export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid: string;
  resourceVersion: string;
  creationTimestamp: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: { kind: string; name: string; uid: string }[];
}

/** Any object of Kubernetes; what is read of it is checked where it is read. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  // The tree of an object is as free as JSON.
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
}

export interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly revision: number;
  readonly resource: string;
  readonly object: KubeObject;
}

export class Objects {
  readonly #objects = new Map<string, KubeObject>();
  #history: Change[] = [];
  #revision = 1000;
  /** Watches from before this revision are answered with 410. */
  #dropped = 0;
  readonly #listeners = new Set<(change: Change) => void>();

  get revision(): number {
    return this.#revision;
  }

  get(resource: string, namespace: string, name: string): KubeObject | undefined {
    return this.#objects.get(key(resource, namespace, name));
  }

  list(resource: string, namespace?: string): KubeObject[] {
    return [...this.#objects]
      .filter(
        ([at, { metadata }]) =>
          at.startsWith(`${resource}/`) &&
          (namespace === undefined || metadata.namespace === namespace),
      )
      .map(([, object]) => object);
  }

  /** @returns undefined when there is one of this name. */
  create(resource: string, namespace: string, object: KubeObject): KubeObject | undefined {
    const at = key(resource, namespace, object.metadata.name);
    if (this.#objects.has(at)) return undefined;
    return this.#put('ADDED', resource, at, {
      ...object,
      metadata: {
        ...object.metadata,
        namespace,
        uid: randomUUID(),
        resourceVersion: '',
        creationTimestamp: new Date().toISOString().replace(/\.\d+/, ''),
      },
    });
  }

  /** Changes an object that exists; undefined when it does not. */
  update(
    resource: string,
    namespace: string,
    name: string,
    change: (object: KubeObject) => KubeObject,
  ): KubeObject | undefined {
    const at = key(resource, namespace, name);
    const before = this.#objects.get(at);
    return before && this.#put('MODIFIED', resource, at, change(structuredClone(before)));
  }

  remove(resource: string, namespace: string, name: string): KubeObject | undefined {
    const at = key(resource, namespace, name);
    const object = this.#objects.get(at);
    if (object === undefined) return undefined;
    const last = this.#put('DELETED', resource, at, structuredClone(object));
    this.#objects.delete(at);
    return last;
  }

  /** Drops the history, as a cluster does after some minutes. */
  compact(): void {
    this.#revision += 1;
    this.#dropped = this.#revision;
    this.#history = [];
  }

  /** The changes after a revision; undefined when some are dropped. */
  since(revision: number): readonly Change[] | undefined {
    if (revision < this.#dropped) return undefined;
    return this.#history.filter((change) => change.revision > revision);
  }

  /** @returns a function that ends it. */
  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #put(type: Change['type'], resource: string, at: string, object: KubeObject): KubeObject {
    this.#revision += 1;
    object.metadata.resourceVersion = String(this.#revision);
    this.#objects.set(at, object);
    const change = { type, revision: this.#revision, resource, object };
    this.#history.push(change);
    for (const listener of this.#listeners) listener(change);
    return object;
  }
}

function key(resource: string, namespace: string, name: string): string {
  return `${resource}/${namespace}/${name}`;
}
