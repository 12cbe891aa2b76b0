/**
 * The docker driver claims a limit only when the daemon enforces it, not when it accepted the
 * setting.
 */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import type { Enforcement } from '../../contract.ts';
import { alteredDaemon, type Alter, type Fields } from '../../testing/altered-daemon.ts';
import { createDocker, type DockerOptions } from '../docker.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** With one account for the whole container, it is the daemon that limits memory, processes and cores. */
async function found(options: DockerOptions) {
  const driver = createDocker({ warm: 0, accounting: 'container', ...options });
  closers.push(() => driver.close());
  return await driver.availability();
}

async function claimedOf(alter: Alter): Promise<Enforcement> {
  const daemon = await alteredDaemon(alter);
  closers.push(() => daemon.close());
  const here = await found({ host: daemon.host });
  if (!here.available) throw new Error(here.reason);
  return here.enforcement;
}

const without =
  (...names: string[]) =>
  (config: Fields) => {
    for (const name of names) delete config[name];
  };

describe.skipIf(requireComponent('sandbox-image').skip)('a daemon', () => {
  test('that applies its settings enforces every limit', async () => {
    const { limits, network, untrusted } = await claimedOf(() => undefined);
    for (const [name, limit] of Object.entries(limits)) expect(limit.enforced, name).toBe(true);
    expect([network.none, untrusted]).toEqual([true, true]);
  });

  test.each([
    ['memoryBytes', without('Memory', 'MemorySwap')],
    ['pids', without('PidsLimit')],
    [
      'diskBytes',
      (config: Fields) => {
        const disks = config['Tmpfs'] as Record<string, string> | undefined;
        for (const path in disks) disks[path] = disks[path]!.replace(/size=\d+/, 'size=1g');
      },
    ],
  ] as const)('that does not limit %s is reported as not limiting it', async (name, alter) => {
    const { limits, untrusted } = await claimedOf(alter);
    expect(limits[name]).toMatchObject({
      enforced: false,
      by: expect.stringContaining('was tried, and did not hold'),
      fix: expect.any(String),
    });
    const others = Object.entries(limits).filter(([other]) => other !== name);
    for (const [other, limit] of others) expect(limit.enforced, other).toBe(true);
    expect(untrusted).toBe(false);
  });

  test('that gives a container the network of the host is reported as not isolating the network', async () => {
    const { network, untrusted } = await claimedOf((config, order) => {
      order['NetworkDisabled'] = false;
      if ('NetworkMode' in config) config['NetworkMode'] = 'host';
    });
    expect(network).toMatchObject({
      none: false,
      by: expect.stringContaining('a guest sees the network of the host'),
    });
    expect(untrusted).toBe(false);
  });

  test('that leaves a guest without a filter, or with new privileges, is unavailable', async () => {
    const daemon = await alteredDaemon((config) => {
      if ('SecurityOpt' in config) config['SecurityOpt'] = ['seccomp=unconfined'];
    });
    closers.push(() => daemon.close());
    expect(await found({ host: daemon.host })).toMatchObject({
      available: false,
      reason: expect.stringMatching(/left with rights: .*NoNewPrivs: 0 Seccomp: 0/),
      fix: expect.stringContaining('security options'),
    });
  });

  test('is probed once in a process, by the first driver', async () => {
    let made = 0;
    const daemon = await alteredDaemon((config) => (made += Number('NetworkMode' in config)));
    closers.push(() => daemon.close());
    const options = { host: daemon.host, image: 'skein-sandbox:minimal' };
    const [first, second] = [await found(options), await found(options)];
    expect(second).toEqual(first);
    expect(made).toBe(1);
  });

  test('runs containers with the requested runtime, and reports which', async () => {
    let asked: unknown;
    const daemon = await alteredDaemon((config) => (asked ??= config['Runtime']));
    closers.push(() => daemon.close());
    // Every daemon has a second name for its own runtime.
    const runtime = 'io.containerd.runc.v2';
    const here = await found({ host: daemon.host, runtime });
    expect(here).toMatchObject({ available: true, enforcement: { untrusted: true } });
    expect(here).toHaveProperty('version', expect.stringMatching(/^\d.*, runtime io\.containerd/));
    expect(asked).toBe(runtime);
  });

  test('without the requested runtime is reported with the fix', async () => {
    vi.stubEnv('SKEIN_DOCKER_RUNTIME', 'no-such-runtime');
    closers.push(() => vi.unstubAllEnvs());
    const driver = createDocker();
    closers.push(() => driver.close());
    expect(await driver.availability()).toMatchObject({
      available: false,
      reason: expect.stringMatching(/no runtime no-such-runtime, only .*runc/),
      fix: expect.stringContaining('/etc/docker/daemon.json'),
    });
  });
});
