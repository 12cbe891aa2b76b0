/** Findings of `skein doctor` on macOS and Windows: the checks run here, and read the platform of those systems. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, expect, it, onTestFinished, vi } from 'vitest';
import { loadChecks } from '../commands/node/doctor.ts';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
});

it.each([
  ['darwin', /^lsof /, 'brew install --cask docker'],
  ['win32', /^netstat /, 'winget install Docker.DockerDesktop'],
] as const)('every fix on %s is one of that system', async (platform, listener, docker) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  // No program is found, as on a new machine.
  vi.stubEnv('PATH', '/nowhere');
  vi.stubGlobal('process', Object.create(process, { platform: { value: platform } }));

  const checks = await loadChecks();
  const around = { dataFolder: import.meta.dirname, httpPort: port, grpcPort: port, env: {} };
  const findings = await Promise.all(checks.map((check) => check(around)));
  const fixOf = (name: string) => findings.find((finding) => finding.name === name)?.fix;

  expect(fixOf('HTTP port')).toMatch(listener);
  expect(fixOf('Docker')).toBe(docker);
  expect(fixOf('bubblewrap')).toBe('Nothing to do');
  expect(fixOf('ONNX Runtime')).toBeUndefined();
  const linux = /sudo|apt-get|systemctl|sysctl|^ss |provision/;
  expect(findings.filter(({ fix = '' }) => linux.test(fix))).toEqual([]);
});
