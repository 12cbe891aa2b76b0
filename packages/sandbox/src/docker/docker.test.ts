/** Tests of the docker driver alone: containers, their hardening, and the commands in them. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { alteredDaemon } from '../testing/altered-daemon.ts';
import { connectEngine } from './daemon/engine.ts';
import {
  containers,
  containersOf,
  dockerFixture,
  MIB,
  OPTIONS,
  running,
  outputOf,
} from './testing/docker-fixture.ts';

const { skip } = requireComponent('sandbox-image');
const { common, driver, onEnd, open, secondName } = dockerFixture();

describe.skipIf(skip)('a container', () => {
  test('is hardened in the settings that the daemon reports', async () => {
    await open();
    const [container] = await containers();
    const engine = connectEngine(undefined);
    const { HostConfig, Config } = await engine.getContainer(container?.Id ?? '').inspect();
    const { SwapLimit } = (await engine.info()) as { SwapLimit: boolean };
    expect(HostConfig).toMatchObject({
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      IpcMode: 'none',
      Privileged: false,
      LogConfig: { Type: 'none' },
      Binds: null,
    });
    expect(HostConfig.SecurityOpt).toContain('no-new-privileges');
    // A daemon in the root group of version 2 does not notice that the kernel can limit swap.
    expect(HostConfig.MemorySwap).toBe(SwapLimit ? HostConfig.Memory : -1);
    expect(HostConfig.Memory).toBeGreaterThan(0);
    expect(HostConfig.PidsLimit).toBeGreaterThan(0);
    expect(Config.Env?.join()).not.toContain('SKEIN');
  });

  test('gives a guest no right at all', async () => {
    const session = await open();
    const status = await outputOf(session, 'cat /proc/self/status');
    for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb'])
      expect(status).toMatch(new RegExp(`^Cap${set}:\\t0{16}$`, 'm'));
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status).toMatch(/^Seccomp:\t2$/m);
    expect(status).toMatch(/^Uid:\t58001\t58001\t58001\t58001$/m);
    expect(status).toMatch(/^Groups:\t\s*(58001 ?)?$/m);
  });

  test('shows no counters of the whole machine', async () => {
    const session = await open();
    const shown =
      'cat /proc/vmstat /proc/diskstats /proc/interrupts /proc/zoneinfo; ls /proc/sys/fs';
    expect(await outputOf(session, `{ ${shown}; } 2>/dev/null | wc -c`)).toBe('0\n');
  });

  test('is removed with its session, and no container waits when the pool is off', async () => {
    const image = await secondName();
    const session = await driver({ warm: 0, image }).open(OPTIONS);
    expect(await containersOf(image)).toBe(1);
    await session.close();
    expect(await containersOf(image)).toBe(0);
  });

  test('serves one session only: the next session finds no trace of it', async () => {
    const docker = common;
    const first = await docker.open(OPTIONS);
    expect(await outputOf(first, 'echo x > mine; ls')).toBe('mine\n');
    await first.close();
    const second = await docker.open(OPTIONS);
    expect(await outputOf(second, 'ls -A . /tmp /dev/shm')).toBe('.:\n\n/dev/shm:\n\n/tmp:\n');
  });
});

describe.skipIf(skip)('an image with volumes', () => {
  /** The result of `docker commit --change`; the layers are the base's. */
  async function withVolumes(): Promise<string> {
    const engine = connectEngine(undefined);
    const base = await engine.createContainer({ Image: 'skein-sandbox:minimal', Cmd: ['true'] });
    const [repo, tag] = ['skein-sandbox', `volumes-${process.pid}`];
    const changes = [
      'VOLUME /data /srv/deep/er /tmp',
      'HEALTHCHECK --interval=1s CMD touch /dev/shm/x',
    ];
    await base.commit({ repo, tag, changes: changes.join('\n') });
    await base.remove();
    onEnd(() => engine.getImage(`${repo}:${tag}`).remove());
    return `${repo}:${tag}`;
  }

  test('gives none: nothing can be written where no limit is', async () => {
    const image = await withVolumes();
    const session = await driver({ warm: 0 }).open({ ...OPTIONS, image });
    const tried = await outputOf(
      session,
      'for d in /data /srv/deep/er; do head -c 1000 /dev/zero 2>/dev/null > $d/x && echo ESCAPED $d; done; echo x > /tmp/y; cat /tmp/y; grep -E " (/data|/srv/deep/er) " /proc/self/mounts',
    );
    expect(tried).not.toContain('ESCAPED');
    expect(tried).toMatch(/^[^]*x\ntmpfs \/\w[^ ]* tmpfs ro,nosuid,nodev,noexec[^]*\ntmpfs \/\w/);
    const [container] = (await containers()).filter(({ Image }) => Image === image);
    const { Mounts, Config } = await connectEngine(undefined)
      .getContainer(container?.Id ?? '')
      .inspect();
    expect(Mounts).toEqual([]);
    expect(Config).toMatchObject({ Healthcheck: { Test: ['NONE'] } });
    await session.close();
  });

  test('is refused when the daemon makes them all the same', async () => {
    const image = await withVolumes();
    const daemon = await alteredDaemon(({ Tmpfs }) => {
      delete (Tmpfs as Record<string, string> | undefined)?.['/data'];
    });
    onEnd(async () => await Promise.resolve(daemon.close()));
    const opening = driver({ host: daemon.host, warm: 0 }).open({ ...OPTIONS, image });
    await expect(opening).rejects.toMatchObject({
      code: 'SANDBOX_UNSUPPORTED',
      message: expect.stringContaining('a volume at /data'),
    });
    expect((await containers()).filter(({ Image }) => Image === image)).toEqual([]);
  });
});

describe.skipIf(skip)('commands', () => {
  test('run side by side, each with its own account, and one that ends takes only its own processes', async () => {
    const session = await open();
    const spin = session.start({
      argv: ['sh', '-c', 'echo; while :; do :; done'],
      workspace: 'read-only',
      limits: { cpuMs: 500 },
    });
    await running(spin);
    const quick = await session.run({
      argv: ['sh', '-c', 'sleep 1000 & echo done'],
      workspace: 'read-only',
    });
    expect(quick).toMatchObject({ endedBy: 'exit', exitCode: 0 });
    expect(quick.usage.cpuMs).toBeLessThan(400);
    const ending = await spin.ended;
    expect(ending.endedBy).toBe('cpu-limit');
    expect(ending.usage.cpuMs).toBeGreaterThan(490);
    expect(
      await outputOf(session, 'for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline; done'),
    ).not.toContain('sleep');
  });

  test('block while their output is not read, and lose nothing', async () => {
    const session = await open();
    const count = 3 * MIB;
    const command = session.start({
      argv: ['head', '-c', String(count), '/dev/zero'],
      workspace: 'read-only',
    });
    command.stderr.resume();
    await once(command.stdout, 'readable');
    let read = 0;
    for await (const chunk of command.stdout) {
      read += (chunk as Buffer).length;
      if (read < MIB) await sleep(1);
    }
    expect(read).toBe(count);
    expect((await command.ended).usage.outputBytes).toBe(count);
  });

  test('take a large stdin through a small window, and end it when it ends', async () => {
    const session = await open();
    const text = Buffer.alloc(6 * MIB, 'skein ');
    const { stdout } = await session.run({ argv: ['md5sum'], workspace: 'read-only', stdin: text });
    expect(Buffer.from(stdout).toString()).toBe(
      `${createHash('md5').update(text).digest('hex')}  -\n`,
    );
  });

  test('may leave their stdin unread', async () => {
    const session = await open();
    const ending = await session.run({
      argv: ['true'],
      workspace: 'read-only',
      stdin: Buffer.alloc(2 * MIB),
    });
    expect(ending).toMatchObject({ endedBy: 'exit', exitCode: 0 });
  });

  test('can open their streams by name', async () => {
    const session = await open();
    const { stdout } = await session.run({
      argv: ['sh', '-c', 'cat /dev/stdin > /dev/stdout'],
      workspace: 'read-only',
      stdin: Buffer.from('by name'),
    });
    expect(Buffer.from(stdout).toString()).toBe('by name');
  });

  test('share the account of the container when they cannot have one of their own', async () => {
    const session = await driver({ accounting: 'container' }).open(OPTIONS);
    const run = (code: string, limits = {}) =>
      session.run({ argv: ['python3', '-c', code], workspace: 'read-only', limits });
    expect(await run('bytearray(256 << 20)')).toMatchObject({ endedBy: 'out-of-memory' });
    const small = await run('x = bytearray(40 << 20)');
    expect(small.endedBy).toBe('exit');
    expect(small.usage.peakMemoryBytes).toBeLessThan(80 * MIB);
    expect(await run('while True: pass', { cpuMs: 200 })).toMatchObject({ endedBy: 'cpu-limit' });
    const first = session.start({ argv: ['sleep', '1000'], workspace: 'read-only' });
    expect(() => session.start({ argv: ['true'], workspace: 'read-only' })).toThrow(/side by side/);
    expect(await first.kill()).toMatchObject({ endedBy: 'killed' });
  });
});
