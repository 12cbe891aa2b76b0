/** The image in podman: as the chart's Deployment, and as three nodes behind a balancer; one node is killed. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@skein/api/client';
import { mlp, writeModel } from '@skein/onnx';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import { startRedis } from '../../packages/jobs/src/store/testing/redis-server.ts';
import { freePort } from '../../packages/jobs/src/worker/free-port.ts';
import { requireComponent } from '../../scripts/testing/components.ts';
import { find, render } from '../helm/testing/render.ts';
import { buildImage, openEngine } from './engine.ts';
import { openFleet } from './fleet.ts';
import { tryFleet } from './scenario.ts';

const skip = (['podman', 'redis', 'helm', 'haproxy'] as const)
  .map(requireComponent)
  .some((component) => component.skip);
const id = randomUUID().slice(0, 8);
const image = `skein-test-${id}`;
const release = `skein-${id}`;

describe.skipIf(skip)('the image in podman', () => {
  const engine = openEngine('podman');
  beforeAll(async () => {
    await buildImage('podman', image);
  }, 600_000);
  afterAll(async () => {
    await engine('rmi', '--force', image);
    engine[Symbol.dispose]();
  }, 60_000);

  it('runs as the chart renders it, and serves a model', async () => {
    // A pod reaches it by the bridge, where it asks for a password.
    const settings = '--bind 0.0.0.0 --protected-mode no --requirepass trial'.split(' ');
    const redis = await startRedis({ settings });
    onTestFinished(() => redis.destroy());
    const { manifests, refusal } = render(
      {
        kind: 'Deployment',
        image: { repository: `localhost/${image}`, tag: 'latest', pullPolicy: 'Never' },
        redis: { url: `redis://:trial@host.containers.internal:${redis.port}` },
        blobs: { place: '/blobs', existingClaim: `${release}-blobs` },
        // The image has no curl, by which podman asks over HTTP.
        probes: { kind: 'exec' },
      },
      release,
    );
    expect(refusal).toBe('');
    const folder = mkdtempSync(join(tmpdir(), 'skein-play-'));
    const file = join(folder, 'play.yaml');
    // Podman plays these kinds of the chart; Services and policies need a cluster.
    const played = manifests.filter(({ kind }) => kind === 'Deployment' || kind === 'Secret');
    writeFileSync(file, played.map((manifest) => stringify(manifest)).join('---\n'));
    const port = await freePort('127.0.0.1');
    onTestFinished(async () => {
      await engine('kube', 'down', '--force', file).catch(() => '');
      await engine('volume', 'rm', '--force', `${release}-blobs`).catch(() => '');
      await engine('network', 'rm', '--force', release).catch(() => '');
      rmSync(folder, { recursive: true, force: true });
    }, 60_000);
    // Podman's own network for pods asks for a name server, and cannot stop a pod where none is installed.
    await engine('network', 'create', '--disable-dns', release);
    const published = `127.0.0.1:${port}:4700`;
    await engine('kube', 'play', '--network', release, '--publish', published, file);

    const url = `http://127.0.0.1:${port}`;
    const accepting = (): Promise<boolean> =>
      fetch(`${url}/v2/health/accepting`).then(
        ({ ok }) => ok,
        () => false,
      );
    await expect.poll(accepting, { timeout: 120_000, interval: 250 }).toBe(true);
    const keys = find(manifests, 'Secret', `${release}-keys`)['data'] as Record<string, string>;
    const key = Buffer.from(keys['admin-key']!, 'base64').toString();
    const client = createClient({ url, key });
    const content = new Uint8Array(writeModel(mlp({ sizes: [4, 8, 3], seed: 1 })));
    const { version } = await client.importModel({ name: 'tiny', content });
    await client.deploy({ name: 'tiny', version });
    const x = { shape: [1, 4], data: Float32Array.of(1, 2, 3, 4) };
    const { outputs } = await client.infer('tiny', { x });
    expect(Object.values(outputs)[0]?.shape).toEqual([1, 3]);

    // By the check that the probes run; only a daemon of systemd would run it automatically here.
    const container = `${release}-pod-node`;
    await engine('healthcheck', 'run', container);
    const inspected = JSON.parse(await engine('inspect', container)) as {
      Config: { User: string };
      HostConfig: { ReadonlyRootfs: boolean; CapDrop: string[] };
    }[];
    expect(inspected[0]).toMatchObject({
      Config: { User: '10001:10001' },
      HostConfig: { ReadonlyRootfs: true },
    });
    await engine('pod', 'stop', '--time', '40', `${release}-pod`);
    expect(await engine('inspect', '--format', '{{.State.ExitCode}}', container)).toBe('0');
  }, 300_000);

  it('three nodes behind a balancer answer every request while one of them is killed', async () => {
    await using fleet = await openFleet({ engine: 'podman', image });
    const tried = await tryFleet(fleet, 8000, () => {}, AbortSignal.timeout(240_000));
    expect(tried.lost).toEqual([]);
    expect(tried.answered).toBeGreaterThan(100);
    expect(Object.keys(tried.byNode).toSorted()).toEqual(['node-1', 'node-2', 'node-3']);
  }, 300_000);
});
