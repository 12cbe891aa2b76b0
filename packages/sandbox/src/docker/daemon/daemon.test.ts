/** The docker driver and its daemon: absent, on another machine, lost; and what a killed node leaves there. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { relay, type Relay } from '../../testing/relay.ts';
import { connectEngine } from './engine.ts';
import { ownerLabels } from '../container/leftovers.ts';
import {
  containers,
  containersOf,
  dockerFixture,
  MIB,
  OPTIONS,
  OWNER,
  running,
  outputOf,
} from '../testing/docker-fixture.ts';

const { skip } = requireComponent('sandbox-image');
const { common, driver, onEnd, secondName } = dockerFixture();

async function daemonElsewhere(): Promise<Relay> {
  const daemon = await relay();
  onEnd(daemon.cut);
  return daemon;
}

describe.skipIf(skip)('what is missing', () => {
  test('a daemon that does not exist is unavailable, with the fix', async () => {
    const docker = driver({ host: 'unix:///nowhere/docker.sock' });
    expect(await docker.availability()).toMatchObject({
      available: false,
      fix: expect.stringContaining('DOCKER_HOST'),
    });
    await expect(docker.open(OPTIONS)).rejects.toMatchObject({ code: 'SANDBOX_UNAVAILABLE' });
  });

  test('an image that does not exist', async () => {
    const open = common.open({ ...OPTIONS, image: 'skein-sandbox:nowhere' });
    await expect(open).rejects.toMatchObject({ code: 'SANDBOX_IMAGE_UNKNOWN' });
  });

  test('a folder as the image of every session', async () => {
    const found = await driver({ image: '/no/image' }).availability();
    expect(found).toMatchObject({
      available: false,
      reason: '"/no/image" is not a name of a Docker image.',
    });
  });

  test('nothing where that image has its registered name', async () => {
    expect(await driver({ image: 'minimal' }).availability()).toMatchObject({ available: true });
  });

  test('the network of the host for untrusted work', async () => {
    await expect(common.open({ ...OPTIONS, network: 'host' })).rejects.toMatchObject({
      code: 'SANDBOX_UNSUPPORTED',
    });
  });

  test('a list of addresses on a daemon of another machine', async () => {
    const { host } = await daemonElsewhere();
    const docker = driver({ host });
    expect(await docker.availability()).toMatchObject({
      enforcement: {
        network: { none: true, allowList: false, by: expect.stringContaining('is not root on') },
      },
    });
    const open = docker.open({ ...OPTIONS, network: { allow: ['example.org:443'] } });
    await expect(open).rejects.toMatchObject({ code: 'SANDBOX_UNSUPPORTED' });
  });

  test('large mounts of this machine on a daemon of another; small files are written there', async () => {
    const { host } = await daemonElsewhere();
    const docker = driver({ host });
    const open = (source: string, target: string) =>
      docker.open({ ...OPTIONS, mounts: [{ source, target }] });
    await expect(open('/etc', '/inputs/etc')).rejects.toMatchObject({
      code: 'SANDBOX_UNSUPPORTED',
    });
    const session = await open('/etc/hostname', '/inputs/0');
    expect(await outputOf(session, 'cat /inputs/0')).toBe(readFileSync('/etc/hostname', 'utf8'));
  });
});

describe.skipIf(skip)('a daemon over the network', () => {
  test('runs and accounts commands', async () => {
    const { host } = await daemonElsewhere();
    const session = await driver({ host }).open(OPTIONS);
    const ending = await session.run({
      argv: ['python3', '-c', 'print(sum(range(10**6)))'],
      workspace: 'read-only',
    });
    expect(Buffer.from(ending.stdout).toString()).toBe('499999500000\n');
    expect(ending.usage.cpuMs).toBeGreaterThan(1);
    expect(ending.usage.peakMemoryBytes).toBeGreaterThan(MIB);
  });

  test('that is lost in the middle is a coded error, and leaves no process running', async () => {
    const { host, cut } = await daemonElsewhere();
    const image = await secondName();
    const session = await driver({ host, warm: 0, image }).open(OPTIONS);
    const command = await running(
      session.start({ argv: ['sh', '-c', 'echo; sleep 1000'], workspace: 'read-only' }),
    );
    cut();
    await expect(command.ended).rejects.toMatchObject({ code: 'SANDBOX_LOST' });
    expect(() => session.start({ argv: ['true'], workspace: 'read-only' })).toThrow(
      expect.objectContaining({ code: 'SANDBOX_LOST' }),
    );
    // The supervisor has read the end of its stdin.
    await expect.poll(() => containersOf(image), { timeout: 10_000 }).toBe(0);
  });
});

describe.skipIf(skip)('a node that is killed', () => {
  test('leaves no process running', async () => {
    const code = `
      import { createDocker } from ${JSON.stringify(new URL('../docker.ts', import.meta.url).href)};
      const session = await createDocker().open(${JSON.stringify(OPTIONS)});
      const command = session.start({ argv: ['sh', '-c', 'echo; sleep 1000'], workspace: 'read-only' });
      command.stdout.once('data', () => console.log('running'));`;
    const node = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(node.stdout, 'data');
    const left = async (): Promise<number> =>
      (await containers(node.pid)).filter(({ State }) => State === 'running').length;
    expect(await left()).toBeGreaterThan(0);
    node.kill('SIGKILL');
    await once(node, 'exit');
    await expect.poll(left, { timeout: 10_000 }).toBe(0);
  });

  test('and whose container the daemon kept: the next node removes it', async () => {
    const engine = connectEngine(undefined);
    const stale = await engine.createContainer({
      Image: 'skein-sandbox:minimal',
      Cmd: ['sleep', '1000'],
      Labels: { ...ownerLabels(), [OWNER]: '1-1' },
    });
    await stale.start();
    await driver().availability();
    await expect(stale.inspect()).rejects.toMatchObject({ statusCode: 404 });
  });
});
