/**
 * System components that some tests need. Where one is absent its tests are reported as skipped,
 * with the reason and the one command that provides it; with SKEIN_FORBID_SKIPS=1 (as in CI) an
 * absent component is a failure.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const PYTHON = '/usr/bin/python3';

function runs(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore', timeout: 20_000 }).status === 0;
}

function imports(module: string): boolean {
  // find_spec, not import: importing onnxruntime takes a second and prints pages of warnings.
  const code = `import importlib.util, sys; sys.exit(importlib.util.find_spec(${JSON.stringify(module)}) is None)`;
  return existsSync(PYTHON) && runs(PYTHON, '-c', code);
}

const CHECKS = {
  'python3-grpcio': () => imports('grpc'),
  'python3-onnxruntime': () => imports('onnxruntime'),
  'python3-prometheus-client': () => imports('prometheus_client'),
  'python3-fastapi': () => imports('fastapi') && imports('uvicorn'),
  'python3-requests': () => imports('requests'),
  'python3-xgboost': () => imports('xgboost'),
  'python3-sklearn': () => imports('sklearn') && imports('pandas'),
  'python3-torch': () => imports('torch') && imports('onnx'),
  'libonnx-testdata': () => existsSync('/usr/share/libonnx-testdata/data/light'),
  'dataset-fashion-mnist': () => existsSync('/usr/share/datasets/fashion-mnist'),
  'python3-moto': () => imports('moto') && imports('flask_cors'),
  chromium: () => existsSync('/usr/bin/chromium'),
  docker: () => runs('docker', 'version'),
  'sandbox-image': () => runs('docker', 'image', 'inspect', 'skein-sandbox:minimal'),
  'judge-image': () => runs('docker', 'image', 'inspect', 'skein-sandbox:judge'),
  // Its kubelet mounts the disks of pods.
  'test-cluster': () => process.getuid?.() === 0 && CHECKS['sandbox-image'](),
  kubectl: () => runs('kubectl', 'version', '--client'),
  'network-namespaces': () => {
    const own = ['--user', '--map-root-user', '--net', '--pid', '--fork', '--mount-proc'];
    return runs('unshare', ...own, 'sh', '-c', 'iptables -L && ip link && tc qdisc && nsenter -V');
  },
  linux: () => process.platform === 'linux',
  gcc: () => runs('gcc', '--version'),
  redis: () => runs('redis-server', '--version'),
  bubblewrap: () => runs('bwrap', '--version'),
  h2load: () => runs('h2load', '--version'),
  openssl: () => runs('openssl', 'version'),
  'docker-compose': () => runs('docker-compose', 'version'),
  kustomize: () => runs('kustomize', 'version'),
  helm: () => runs('helm', 'version'),
  promtool: () => runs('promtool', '--version'),
  podman: () => runs('podman', 'info') && runs('runc', '--version'),
  haproxy: () => runs('haproxy', '-v'),
  curl: () => runs('curl', '--version'),
} as const;

export type Component = keyof typeof CHECKS;

const PROVISION = '`npm run provision` installs it on Debian and Ubuntu';

/** Install commands of components that are not packages. */
const FIXES: Partial<Record<Component, string>> = {
  'test-cluster':
    'it needs root and Docker with the image of `bash deploy/sandbox/base-image.sh minimal`',
  'network-namespaces':
    'it needs Linux, iproute2, iptables, and user namespaces for all users (`sysctl kernel.apparmor_restrict_unprivileged_userns=0` on Ubuntu)',
  'sandbox-image':
    '`bash deploy/sandbox/base-image.sh minimal` builds it, as root, where Docker runs',
  'judge-image': '`bash deploy/sandbox/base-image.sh judge` builds it, as root, where Docker runs',
};

/** Whether tests that need the component must be skipped here, and why. */
export function requireComponent(name: Component): { skip: boolean; reason: string } {
  if (CHECKS[name]()) return { skip: false, reason: '' };
  const reason = `${name} is not available here; ${FIXES[name] ?? PROVISION}.`;
  if (process.env['SKEIN_FORBID_SKIPS'] === '1') throw new Error(reason);
  process.stderr.write(`skipped: ${reason}\n`);
  return { skip: true, reason };
}
