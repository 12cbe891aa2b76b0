import { describe, expect, it } from 'vitest';
import { runCli } from '../testing/cli.ts';
import type { Diagnosis } from '../commands/node/doctor.ts';
import { detectSystem, installCommand } from './system.ts';

describe('the system', () => {
  it.each([
    ['linux', 'ID=debian\nVERSION_ID="13"', 'debian'],
    ['linux', 'NAME="Linux Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"', 'debian'],
    ['linux', 'ID="rocky"\nID_LIKE="rhel centos fedora"', 'fedora'],
    ['linux', 'ID=alpine', 'alpine'],
    ['linux', '', 'other'],
    ['darwin', '', 'macos'],
    ['win32', '', 'windows'],
  ] as const)('%s %j is %s', (platform, osRelease, system) => {
    expect(detectSystem(platform, osRelease)).toBe(system);
  });

  it('has its own words for installing', () => {
    expect(installCommand('redis', 'debian', false)).toBe('sudo apt-get install redis-server');
    expect(installCommand('redis', 'debian', true)).toBe('apt-get install redis-server');
    expect(installCommand('docker', 'macos', false)).toBe('brew install --cask docker');
    expect(installCommand('bubblewrap', 'arch', false)).toBe('sudo pacman -S bubblewrap');
  });
});

describe('skein doctor', () => {
  it('finds this machine fit to serve, and has a fix for everything that is not ok', async () => {
    const { code, stdout } = await runCli(['doctor', '--json'], { cwd: import.meta.dirname });
    const { healthy, findings } = JSON.parse(stdout) as Diagnosis;
    expect([code, healthy]).toEqual([0, true]);
    const names = findings.map((finding) => finding.name);
    expect(names.join(', ')).toBe(
      'Node, Cores, Memory, Disk, HTTP port, gRPC port, ONNX Runtime, CUDA, Redis, Docker, bubblewrap, Sandboxes, Kubernetes, Chromium',
    );
    for (const { status, fix } of findings) expect(fix !== undefined).toBe(status !== 'ok');
    expect(findings.find(({ name }) => name === 'ONNX Runtime')?.detail).toBe(
      'loads a graph and computes it',
    );
  });

  it.skipIf(process.platform !== 'linux')(
    'exits 1 when something that is needed is broken',
    async () => {
      // Nothing that can be checked for space lies there.
      const { code, stdout } = await runCli(['doctor', '--json', '--data', '/proc/skein'], {
        cwd: import.meta.dirname,
      });
      const { findings } = JSON.parse(stdout) as Diagnosis;
      const disk = findings.find(({ name }) => name === 'Disk');
      expect([code, disk?.status]).toEqual([1, 'broken']);
    },
  );

  it('does not take a broken optional piece for a broken machine', async () => {
    const { code, stdout } = await runCli(['doctor'], {
      cwd: import.meta.dirname,
      env: {
        PATH: '/nowhere',
        REDIS_URL: 'redis://127.0.0.1:9',
        SKEIN_KUBERNETES_NAMESPACE: 'jobs',
      },
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(/missing Docker +not installed/);
    expect(stdout).toMatch(/broken +Kubernetes/);
    expect(stdout).toContain('Skein can serve on this machine.');
  });
});
