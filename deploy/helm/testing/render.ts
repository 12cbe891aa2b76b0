/** Renders the chart with the real Helm, and checks the manifests against the schemas of Kubernetes. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject';
import { PrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule';
import { ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor';
import { Deployment, StatefulSet } from 'kubernetes-models/apps/v1';
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { Role, RoleBinding } from 'kubernetes-models/rbac.authorization.k8s.io/v1';
import { ConfigMap, Secret, Service, ServiceAccount } from 'kubernetes-models/v1';
import { parseAllDocuments } from 'yaml';

export const CHART = join(import.meta.dirname, '../skein');

/** A manifest of any depth. */
// oxlint-disable-next-line typescript/no-explicit-any
export type Manifest = Record<string, any>;

interface ModelClass {
  new (data: never): object;
  readonly apiVersion: string;
  readonly prototype: { validate(): void };
}

const MODELS: Readonly<Record<string, ModelClass>> = {
  ConfigMap,
  Deployment,
  HorizontalPodAutoscaler,
  NetworkPolicy,
  PodDisruptionBudget,
  PrometheusRule,
  Role,
  RoleBinding,
  ScaledObject,
  Secret,
  Service,
  ServiceAccount,
  ServiceMonitor,
  StatefulSet,
};

/** The manifests, or Helm's message when it refuses the values. */
export function render(
  values: object,
  release = 'skein',
  namespace = 'ml',
): { manifests: Manifest[]; refusal: string } {
  const { stdout, stderr, status } = spawnSync(
    'helm',
    ['template', release, CHART, '--namespace', namespace, '--values', '-'],
    { input: JSON.stringify(values), encoding: 'utf8' },
  );
  if (status !== 0) return { manifests: [], refusal: stderr };
  return { manifests: read(stdout), refusal: '' };
}

export function read(text: string): Manifest[] {
  return parseAllDocuments(text).flatMap((document) => {
    if (document.errors.length > 0) throw document.errors[0]!;
    const manifest = document.toJS() as Manifest | null;
    return manifest === null ? [] : [manifest];
  });
}

/** The faults of a manifest, one line each. Unknown fields count: an API server drops them. */
export function faults(manifest: Manifest): string[] {
  const name = `${manifest['kind']}/${manifest['metadata'].name}`;
  const Known = MODELS[manifest['kind'] as string];
  if (Known === undefined) return [`${name}: the test has no schema of this kind`];
  const unread = new Map<string, Set<string>>();
  const { apiVersion } = Known;
  if (apiVersion !== manifest['apiVersion']) return [`${name}: apiVersion is not ${apiVersion}`];
  try {
    // The constructor copies, and so would read all of it.
    Known.prototype.validate.call(recording(new Known(manifest as never), '', unread));
  } catch (error) {
    return [`${name}: ${(error as Error).message}`];
  }
  return [...unread].flatMap(([path, keys]) =>
    [...keys].map((key) => `${name}: ${path}/${key} is not a field`),
  );
}

/** The validators read each field that they know, so those that they do not read are unknown. */
function recording(value: unknown, path: string, unread: Map<string, Set<string>>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const left = Array.isArray(value) ? new Set<string>() : new Set(Object.keys(value));
  unread.set(path, left);
  const seen = new Map<string, unknown>();
  return new Proxy(value, {
    get(target, key) {
      const found = Reflect.get(target, key) as unknown;
      if (typeof key === 'symbol' || !Object.hasOwn(target, key)) return found;
      left.delete(key);
      if (!seen.has(key)) seen.set(key, recording(found, `${path}/${key}`, unread));
      return seen.get(key);
    },
  });
}

export function find(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.find(
    (manifest) => manifest['kind'] === kind && manifest['metadata'].name === name,
  );
  if (found === undefined) throw new Error(`The chart renders no ${kind} ${name}.`);
  return found;
}
