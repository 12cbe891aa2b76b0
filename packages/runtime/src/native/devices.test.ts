import { describe, expect, it } from 'vitest';
import { arithmetic } from '../testing/models.ts';
import { acceleratorOf, describeDevices, type Machine } from './devices.ts';
import { nativeRuntime } from './native-runtime.ts';

const machine = (present: readonly string[], platform = 'linux', arch = 'x64'): Machine => ({
  platform,
  arch,
  exists: (path) => present.some((end) => path.endsWith(end)),
});
const shared = 'libonnxruntime_providers_shared.so';
const cuda = 'libonnxruntime_providers_cuda.so';

const cudaReport = (on?: Machine) => describeDevices(on).find(({ device }) => device === 'cuda')!;
const absent = describeDevices().filter(({ available }) => !available);

describe('cuda', () => {
  it.each([
    ['the platform', machine([], 'darwin', 'arm64'), 'this is darwin/arm64', undefined],
    ['the driver', machine([shared, cuda]), '/dev/nvidiactl', 'nvidia-smi'],
    ['the shared library', machine(['/dev/nvidiactl', cuda]), shared, 'install=cuda12'],
    ['the CUDA library', machine(['/dev/nvidiactl', shared]), cuda, 'install=cuda12'],
  ])('names what is missing: %s', (_, where, detail, fix) => {
    const report = cudaReport(where);
    expect(report.available).toBe(false);
    expect(report.detail).toContain(detail);
    if (fix === undefined) expect(report.fix).toBeUndefined();
    else expect(report.fix).toContain(fix);
  });

  it('finds everything in place', () => {
    expect(cudaReport(machine(['/dev/nvidiactl', shared, cuda])).available).toBe(true);
  });
});

describe('devices', () => {
  it('has the CPU first, always', () => {
    expect(describeDevices()[0]).toMatchObject({ device: 'cpu', available: true });
  });

  it.each(absent)('refuses $device and names the missing piece', async ({ device, detail }) => {
    const options = { device, threads: 1, isolation: 'thread' } as const;
    await expect(nativeRuntime.open({ bytes: arithmetic() }, options)).rejects.toMatchObject({
      name: 'RuntimeFailure',
      kind: 'unavailable',
      message: expect.stringContaining(detail),
    });
  });

  it('finds no accelerator on a machine that it was not built for', () => {
    for (const report of describeDevices(machine([], 'sunos', 'sparc'))) {
      const { device, available, detail } = report;
      expect(available, device).toBe(acceleratorOf(device) === undefined);
      expect(detail, device).not.toBe('');
    }
  });
});
