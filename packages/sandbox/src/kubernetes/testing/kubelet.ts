/**
 * Runs the pods of the test cluster as containers of a Docker Engine: the same runc, control groups
 * and seccomp profile that a node of a cluster has. Networks are simpler: a pod has the network of
 * this machine, or none when a policy that allows nothing selects it.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { V1Container, V1PodSpec, V1Volume } from '@kubernetes/client-node';
import type Docker from 'dockerode';
import type { KubeObject, Objects } from './objects.ts';
import { matches } from './selectors.ts';

export interface KubeletOptions {
  readonly objects: Objects;
  readonly docker: Docker;
  /** On every container, so that none remains. */
  readonly label: string;
  /** Where pods find the API server. */
  readonly port: number;
  /** Whether the kernel's kill for memory takes the whole container, as kubelets with cgroup v2 do. */
  readonly killsGroup: boolean;
  readonly ignoresPolicies: boolean;
}

interface RunningPod {
  readonly folder: string;
  readonly mounted: string[];
  readonly containers: Map<string, Docker.Container>;
  readonly outOfMemory: Set<string>;
  isRemoved: boolean;
}

export class Kubelet {
  readonly #options: KubeletOptions;
  readonly #pods = new Map<string, RunningPod>();
  /** Pods that run, or are being removed. */
  readonly #works = new Set<Promise<void>>();
  #isClosed = false;
  readonly #folder = mkdtempSync(join(tmpdir(), 'skein-kubelet-'));

  constructor(options: KubeletOptions) {
    this.#options = options;
    options.objects.onChange(({ type, resource, object }) => {
      if (resource !== 'pods') return;
      // Later, so that watches see the pod before its first status.
      if (type === 'ADDED') setImmediate(() => this.#begin(object));
      else if (type === 'MODIFIED' && object.metadata.deletionTimestamp !== undefined) {
        this.#track(this.#stop(object));
      }
    });
  }

  container(namespace: string, pod: string, name: string): Docker.Container | undefined {
    return this.#pods.get(`${namespace}/${pod}`)?.containers.get(name);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const pod of this.#pods.values()) {
      pod.isRemoved = true;
      for (const container of pod.containers.values()) void container.kill().catch(() => undefined);
    }
    await Promise.all(this.#works);
    await Promise.all([...this.#pods.keys()].map((key) => this.#clear(key)));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #begin(object: KubeObject): void {
    if (this.#isClosed) return;
    this.#track(this.#run(object));
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#works.delete(tracked));
    this.#works.add(tracked);
  }

  async #run(object: KubeObject): Promise<void> {
    const { namespace = '', name, uid } = object.metadata;
    const spec = object.spec as unknown as V1PodSpec;
    const pod: RunningPod = {
      folder: join(this.#folder, uid),
      mounted: [],
      containers: new Map(),
      outOfMemory: new Set(),
      isRemoved: false,
    };
    this.#pods.set(`${namespace}/${name}`, pod);
    this.#report(object, { phase: 'Pending', podIP: '127.0.0.1', hostIP: '127.0.0.1' });
    try {
      for (const volume of spec.volumes ?? []) makeVolume(pod, volume);
      for (const container of spec.initContainers ?? []) {
        const exitCode = await this.#runContainer(
          object,
          spec,
          container,
          pod,
          'initContainerStatuses',
        );
        if (exitCode !== 0) return this.#report(object, { phase: 'Failed' });
      }
      const codes = await Promise.all(
        spec.containers.map((each) =>
          this.#runContainer(object, spec, each, pod, 'containerStatuses'),
        ),
      );
      this.#report(object, { phase: codes.every((code) => code === 0) ? 'Succeeded' : 'Failed' });
    } catch {
      // Its status has the reason; the pod waits, as one with a wrong image does.
    }
  }

  /** @returns the exit code. @throws when it cannot run; then its status has the reason. */
  async #runContainer(
    object: KubeObject,
    spec: V1PodSpec,
    container: V1Container,
    pod: RunningPod,
    list: 'containerStatuses' | 'initContainerStatuses',
  ): Promise<number> {
    const state = (now: Record<string, unknown>): void => {
      const isRunning = 'running' in now;
      const status = {
        name: container.name,
        image: container.image,
        ready: isRunning,
        started: isRunning,
        restartCount: 0,
        state: now,
      };
      this.#report(object, {
        ...(isRunning && list === 'containerStatuses' ? { phase: 'Running' } : {}),
        [list]: [status],
      });
    };
    let made: Docker.Container;
    try {
      made = await this.#options.docker.createContainer(
        this.#settings(object, spec, container, pod),
      );
      pod.containers.set(container.name, made);
      if (pod.isRemoved) throw new Error('the pod was removed');
      await made.start();
    } catch (error) {
      const { statusCode, message } = error as { statusCode?: number; message?: string };
      const reason = statusCode === 404 ? 'ErrImagePull' : 'RunContainerError';
      state({ waiting: { reason, message } });
      throw error;
    }
    state({ running: { startedAt: new Date().toISOString() } });
    const { StatusCode } = (await made.wait()) as { StatusCode: number };
    const { State } = await made.inspect().catch(() => ({ State: { OOMKilled: false } }));
    const isStarved = pod.outOfMemory.has(made.id) || (State.OOMKilled && StatusCode === 137);
    const reason = isStarved ? 'OOMKilled' : StatusCode === 0 ? 'Completed' : 'Error';
    state({ terminated: { exitCode: StatusCode, reason } });
    return StatusCode;
  }

  /** The kernel killed a process of this container. */
  onOutOfMemory(id: string): void {
    if (!this.#options.killsGroup) return;
    for (const pod of this.#pods.values()) {
      const found = [...pod.containers.values()].find((each) => each.id === id);
      if (found === undefined) continue;
      pod.outOfMemory.add(id);
      void found.kill().catch(() => undefined);
    }
  }

  #settings(
    object: KubeObject,
    spec: V1PodSpec,
    container: V1Container,
    pod: RunningPod,
  ): Docker.ContainerCreateOptions {
    const own = container.securityContext ?? {};
    const uid = own.runAsUser ?? spec.securityContext?.runAsUser;
    const gid = own.runAsGroup ?? spec.securityContext?.runAsGroup ?? uid;
    const { memory, cpu } = container.resources?.limits ?? {};
    const bytes = memory === undefined ? undefined : bytesOf(memory);
    return {
      Image: container.image ?? '',
      ...(container.command === undefined ? {} : { Entrypoint: container.command }),
      ...(container.args === undefined ? {} : { Cmd: container.args }),
      Env: [
        'KUBERNETES_SERVICE_HOST=127.0.0.1',
        `KUBERNETES_SERVICE_PORT=${this.#options.port}`,
        ...(container.env ?? []).map(({ name, value = '' }) => `${name}=${value}`),
      ],
      WorkingDir: container.workingDir ?? '/',
      ...(uid === undefined ? {} : { User: `${uid}:${gid ?? uid}` }),
      OpenStdin: container.stdin ?? false,
      StdinOnce: container.stdinOnce ?? false,
      Labels: { [this.#options.label]: 'true' },
      HostConfig: {
        ...(bytes === undefined ? {} : { Memory: bytes, MemorySwap: bytes }),
        ...(cpu === undefined ? {} : { NanoCpus: Math.round(coresOf(cpu) * 1e9) }),
        ReadonlyRootfs: own.readOnlyRootFilesystem ?? false,
        CapDrop: own.capabilities?.drop ?? [],
        SecurityOpt: own.allowPrivilegeEscalation === false ? ['no-new-privileges'] : [],
        NetworkMode: this.#isCutOff(object) ? 'none' : 'host',
        ...(this.#isCutOff(object) ? {} : { ExtraHosts: this.#hosts(object) }),
        Binds: (container.volumeMounts ?? []).map(({ name, mountPath, subPath = '', readOnly }) => {
          const source = join(pod.folder, name, subPath);
          makeFolder(source);
          return `${source}:${mountPath}:${readOnly === true ? 'ro' : 'rw'}`;
        }),
      },
    };
  }

  /** Whether a policy selects the pod and allows nothing. */
  #isCutOff({ metadata }: KubeObject): boolean {
    if (this.#options.ignoresPolicies) return false;
    return this.#options.objects
      .list('networking.k8s.io/networkpolicies', metadata.namespace)
      .some(({ spec }) => {
        const { podSelector, ingress, egress } = spec as {
          podSelector?: { matchLabels?: Record<string, string> };
          ingress?: unknown;
          egress?: unknown;
        };
        return (
          ingress === undefined &&
          egress === undefined &&
          matches(metadata.labels, podSelector?.matchLabels ?? {})
        );
      });
  }

  /** The names that a headless service gives to the pods of an Indexed Job; a cluster resolves them when they are asked for. */
  #hosts({ metadata, spec }: KubeObject): string[] {
    const { subdomain } = spec as unknown as V1PodSpec;
    if (subdomain === undefined) return [];
    const size = Number((metadata.annotations ?? {})['test/size'] ?? 1);
    return Array.from({ length: size }, (_, rank) => `${subdomain}-${rank}.${subdomain}:127.0.0.1`);
  }

  async #stop(object: KubeObject): Promise<void> {
    const { namespace = '', name, deletionGracePeriodSeconds = 30 } = object.metadata;
    const pod = this.#pods.get(`${namespace}/${name}`);
    if (pod?.isRemoved === true) return;
    if (pod !== undefined) pod.isRemoved = true;
    const containers = [...(pod?.containers.values() ?? [])];
    await Promise.allSettled(
      containers.map((each) =>
        deletionGracePeriodSeconds === 0
          ? each.kill()
          : each.stop({ t: deletionGracePeriodSeconds }),
      ),
    );
    await this.#clear(`${namespace}/${name}`);
    this.#options.objects.remove('pods', namespace, name);
  }

  async #clear(key: string): Promise<void> {
    const pod = this.#pods.get(key);
    if (pod === undefined) return;
    this.#pods.delete(key);
    await Promise.allSettled(
      [...pod.containers.values()].map((each) => each.remove({ force: true, v: true })),
    );
    for (const folder of pod.mounted) spawnSync('umount', ['--lazy', folder]);
    rmSync(pod.folder, { recursive: true, force: true });
  }

  #report(object: KubeObject, change: Record<string, unknown>): void {
    const { namespace = '', name, uid } = object.metadata;
    this.#options.objects.update('pods', namespace, name, (now) =>
      now.metadata.uid === uid ? { ...now, status: { ...now.status, ...change } } : now,
    );
  }
}

function makeVolume(pod: RunningPod, { name, emptyDir }: V1Volume): void {
  const folder = join(pod.folder, name);
  makeFolder(folder);
  if (emptyDir?.medium !== 'Memory') return;
  const size = emptyDir.sizeLimit === undefined ? [] : [`size=${bytesOf(emptyDir.sizeLimit)}`];
  const options = ['mode=1777', ...size].join(',');
  const { status, stderr } = spawnSync('mount', [
    '-t',
    'tmpfs',
    '-o',
    options,
    'test-disk',
    folder,
  ]);
  if (status !== 0) throw new Error(`no tmpfs for a pod: ${String(stderr)}`);
  pod.mounted.push(folder);
}

/** Makes a folder as a kubelet makes the folders of volumes: any user may write. */
function makeFolder(path: string): void {
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o777);
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
};

function bytesOf(quantity: string): number {
  const [, digits = '', unit = ''] = /^(\d+)(k|M|G|Ki|Mi|Gi)?$/.exec(quantity) ?? [];
  const bytes = Number(digits) * (UNITS[unit] ?? Number.NaN);
  if (digits === '' || Number.isNaN(bytes)) throw new Error(`${quantity} is not a quantity`);
  return bytes;
}

function coresOf(quantity: string): number {
  return quantity.endsWith('m') ? Number(quantity.slice(0, -1)) / 1000 : Number(quantity);
}
