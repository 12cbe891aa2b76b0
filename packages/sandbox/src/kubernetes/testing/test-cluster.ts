/**
 * A cluster of one node for tests: an API server that an unmodified `kubectl` accepts, the
 * controller of Jobs, and a kubelet over a Docker Engine. It has the parts that the driver and `kubectl` use
 * of Kubernetes, and no more: no scheduler, no admission, no schemas (`kubectl create
 * --validate=false`).
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { connectEngine } from '../../docker/daemon/engine.ts';
import { HttpApi, refuse, send, targetOf, verbOf, type Faults } from './http-api.ts';
import { JobsController } from './jobs-controller.ts';
import { Kubelet } from './kubelet.ts';
import { Objects } from './objects.ts';
import { joinStreams, sendLog } from './streams.ts';

export const IMAGE = 'skein-sandbox:minimal';
export const NAMESPACE = 'skein-test';

export interface TestCluster {
  /** Path of a kubeconfig with its address and its token. */
  readonly kubeconfig: string;
  /** The variables by which the driver finds it. */
  readonly env: Readonly<Record<string, string>>;
  readonly objects: Objects;
  readonly faults: Faults;
  dropWatches(how: 'end' | 'cut'): number;
  /** Cuts the streams of `exec` and `attach`. */
  cutStreams(): void;
  close(): Promise<void>;
}

export interface TestClusterOptions {
  /** Whether a kill for memory takes the whole container. Default: false. */
  readonly killsGroup?: boolean;
  /** Whether policies do nothing, as in a cluster whose network plug-in ignores them. */
  readonly ignoresPolicies?: boolean;
}

export async function startTestCluster({
  killsGroup = false,
  ignoresPolicies = false,
}: TestClusterOptions = {}): Promise<TestCluster> {
  const docker = connectEngine(undefined);
  const token = randomBytes(16).toString('hex');
  const label = `dev.skein.test-cluster-${randomBytes(6).toString('hex')}`;
  const objects = new Objects();
  const controller = new JobsController(objects);
  const faults: Faults = { refuse: () => undefined, used: new Set() };
  const api = new HttpApi(objects, controller, faults);
  const streams = new Set<Duplex>();
  const isKnown = ({ headers }: IncomingMessage): boolean =>
    headers.authorization === `Bearer ${token}`;

  const folder = mkdtempSync(join(tmpdir(), 'skein-test-cluster-'));
  const certificate = makeCertificate(folder);
  const server = createServer(certificate, (request, response) => {
    const url = new URL(request.url ?? '/', 'http://cluster');
    if (!isKnown(request)) return refuse(response, { status: 401, message: 'Unauthorized' });
    const target = targetOf(url.pathname);
    if (target?.sub === 'log') {
      const { namespace = '', name = '' } = target;
      const container = kubelet.container(
        namespace,
        name,
        url.searchParams.get('container') ?? mainOf(namespace, name),
      );
      if (container === undefined)
        return refuse(response, { status: 404, message: `pods "${name}" not found` });
      const follow = url.searchParams.get('follow') === 'true';
      return void sendLog(response, docker, container, follow).catch(() => response.destroy());
    }
    api.answer(request, response, url).catch((error: unknown) => {
      if (!response.headersSent)
        send(response, 500, { kind: 'Status', message: String(error), code: 500 });
    });
  });
  const mainOf = (namespace: string, pod: string): string => {
    const { containers = [] } = (objects.get('pods', namespace, pod)?.spec ?? {}) as {
      containers?: { name: string }[];
    };
    return containers[0]?.name ?? '';
  };
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const url = new URL(request.url ?? '/', 'http://cluster');
    const target = targetOf(url.pathname);
    const close = (status: string): void => void socket.end(`HTTP/1.1 ${status}\r\n\r\n`);
    if (!isKnown(request)) return close('401 Unauthorized');
    if (target?.sub !== 'exec' && target?.sub !== 'attach') return close('404 Not Found');
    const resource = `${target.resource}/${target.sub}`;
    faults.used.add(`${verbOf('GET', target, url.searchParams)} ${resource}`);
    const refusal = faults.refuse('get', resource);
    if (refusal !== undefined) return close(`${refusal.status} Refused`);
    const { namespace = '', name = '' } = target;
    const container = kubelet.container(
      namespace,
      name,
      url.searchParams.get('container') ?? mainOf(namespace, name),
    );
    if (container === undefined) return close('404 Not Found');
    streams.add(socket);
    socket.on('close', () => streams.delete(socket));
    joinStreams(request, socket, head, docker, container, url.searchParams);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const kubelet = new Kubelet({ objects, docker, label, port, killsGroup, ignoresPolicies });
  for (const name of ['default', NAMESPACE]) {
    const metadata = { name, uid: '', resourceVersion: '', creationTimestamp: '' };
    objects.create('namespaces', '', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata,
      status: { phase: 'Active' },
    });
  }
  const events = await docker.getEvents({ filters: { label: [label], event: ['oom'] } });
  events.on('data', (line: Buffer) => {
    const { id } = JSON.parse(line.toString()) as { id?: string };
    if (id !== undefined) kubelet.onOutOfMemory(id);
  });
  const kubeconfig = join(folder, 'kubeconfig.json');
  const config = kubeconfigOf(`https://127.0.0.1:${port}`, certificate.cert, token);
  writeFileSync(kubeconfig, JSON.stringify(config), { mode: 0o600 });

  return {
    kubeconfig,
    env: {
      KUBECONFIG: kubeconfig,
      SKEIN_KUBERNETES_NAMESPACE: NAMESPACE,
      SKEIN_KUBERNETES_IMAGE: IMAGE,
    },
    objects,
    faults,
    dropWatches: (how) => api.dropWatches(how),
    cutStreams() {
      for (const socket of streams) socket.destroy();
    },
    async close() {
      (events as unknown as Duplex).destroy();
      controller.close();
      server.close();
      server.closeAllConnections();
      for (const socket of streams) socket.destroy();
      await kubelet.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** `kubectl` sends no token without TLS. */
function makeCertificate(folder: string): { readonly key: string; readonly cert: string } {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const names = ['-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const files = ['-days', '2', '-keyout', key, '-out', cert];
  execFileSync('openssl', ['req', '-x509', ...kind, ...names, ...files], { stdio: 'ignore' });
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
}

function kubeconfigOf(server: string, certificate: string, token: string): unknown {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'test', cluster: { server, 'certificate-authority-data': btoa(certificate) } },
    ],
    users: [{ name: 'test', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace: NAMESPACE } }],
    'current-context': 'test',
  };
}
