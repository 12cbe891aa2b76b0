/**
 * A node is killed with SIGKILL at random moments while it is changed and called, and restarted on
 * its data folder, many times. Every acknowledged change is present each time. A change that was
 * not acknowledged is present in full or absent. A version answers as it did before.
 */
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mlp, seededRandom, writeModel } from '@skein/onnx';
import { rawClient } from '../../testing/raw-client.ts';
import { startNodeProcess, type NodeProcess } from '../../testing/node-process.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';

const ROUNDS = 6;
/** The longest time of a round before the kill, in milliseconds. */
const LONGEST_MS = 300;
const LONG = { objective: { latencyMs: 60_000 } };

/** The acknowledged changes, and the last change that was not acknowledged. */
interface Promised {
  /** Digest by version. */
  readonly versions: Map<string, string>;
  /** Traffic after the last acknowledged change, and after the change in progress. */
  serving: Set<string>;
  maxQueue: Set<number>;
  readonly keys: string[];
  /** Versions whose deployment was acknowledged. */
  readonly deployed: string[];
}

const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const modelOf = (seed: number) => writeModel(mlp({ sizes: [4, 64, 3], seed }));
const X = { shape: [1, 4], data: Float32Array.of(1, -2, 3, -4) };

async function ask(node: NodeProcess): Promise<{ version: string; y: readonly number[] }> {
  const { version, outputs } = await node.client.infer('risk', { x: X });
  return { version: version!, y: [...(outputs['y']!.data as Float32Array)] };
}

it('every acknowledged change is present after a restart', { timeout: 120_000 }, async () => {
  const folder = testFolder();
  const random = seededRandom(Date.now());
  const promised: Promised = {
    versions: new Map(),
    serving: new Set(),
    maxQueue: new Set([1024]),
    keys: [],
    deployed: [],
  };
  const answers = new Map<string, readonly number[]>();
  let seed = 0;

  /** Makes one change of every kind after another, until the node is killed. */
  async function change({ client }: NodeProcess): Promise<void> {
    for (;;) {
      const content = modelOf(++seed) as Uint8Array<ArrayBuffer>;
      const { version, digest } = await client.importModel({ name: 'risk', content });
      expect(digest).toBe(digestOf(content));
      promised.versions.set(version, digest);

      promised.serving.add(version);
      await client.deploy({ name: 'risk', version, settings: LONG });
      promised.serving = new Set([version]);
      promised.deployed.push(version);

      const maxQueue = 1000 + seed;
      promised.maxQueue.add(maxQueue);
      await client.changeSettings({ name: 'risk', settings: { maxQueue } });
      promised.maxQueue = new Set([maxQueue]);

      promised.keys.push((await client.createKey({ label: `key ${seed}` })).id);
    }
  }

  async function keepAsking(node: NodeProcess): Promise<void> {
    for (;;) {
      const { version, y } = await ask(node);
      const before = answers.get(version);
      if (before === undefined) answers.set(version, y);
      else expect(y).toEqual(before);
    }
  }

  async function check({ client }: NodeProcess): Promise<void> {
    const { versions } = await client.listVersions({ name: 'risk' });
    const digests = new Map(versions.map(({ version, digest }) => [version, digest]));
    for (const [version, digest] of promised.versions) expect(digests.get(version)).toBe(digest);
    // Every file belongs to a version, and every version has its file.
    const files = readdirSync(join(folder, '.skein/artifacts'));
    expect(files.toSorted()).toEqual([...new Set(digests.values())].toSorted());

    const view = await client.getDeployment({ name: 'risk' });
    expect(view.status).toBe('ready');
    expect([...promised.serving]).toContain(view.targets[0]!.version);
    expect([...promised.maxQueue]).toContain(view.settings.maxQueue);
    promised.serving = new Set([view.targets[0]!.version]);
    promised.maxQueue = new Set([view.settings.maxQueue]);

    const keys = (await client.listKeys()).keys.map(({ id }) => id);
    for (const key of promised.keys) expect(keys).toContain(key);

    const { entries } = await client.deploymentHistory({ name: 'risk', limit: 1000 });
    const recorded = entries
      .filter(({ kind }) => kind === 'deployed' || kind === 'rollout-finished')
      .map(({ details }) => details['version'] ?? details['to']);
    for (const version of promised.deployed) expect(recorded).toContain(version);
  }

  for (let round = 0; round < ROUNDS; round++) {
    await using node = await startNodeProcess({ folder });
    if (round === 0) {
      await node.deploy('risk', modelOf(++seed), LONG);
      promised.versions.set('1', digestOf(modelOf(seed)));
      promised.serving.add('1');
      promised.deployed.push('1');
    } else {
      await check(node);
      expect([...promised.serving]).toContain((await ask(node)).version);
    }
    const gone = { code: 'NODE_UNREACHABLE' };
    const work = Promise.all([
      expect(change(node)).rejects.toMatchObject(gone),
      expect(keepAsking(node)).rejects.toMatchObject(gone),
      expect(keepAsking(node)).rejects.toMatchObject(gone),
    ]);
    // Every second round gets past its first deployment, however slow the machine is.
    const before = promised.deployed.length;
    if (round % 2 === 1) {
      await expect
        .poll(() => promised.deployed.length, { interval: 1, timeout: 20_000 })
        .toBeGreaterThan(before);
    }
    setTimeout(() => void node.kill(), random.next() * LONGEST_MS);
    await work;
  }
  await using last = await startNodeProcess({ folder });
  await check(last);
  expect(promised.deployed.length).toBeGreaterThan(ROUNDS / 2);
});

it('an interrupted upload and deployment leave nothing incomplete', async () => {
  const folder = testFolder();
  const artifacts = () => readdirSync(join(folder, '.skein/artifacts'));
  {
    await using node = await startNodeProcess({ folder });
    await node.deploy('risk', modelOf(1), LONG);
    const uploading = rawClient(node.port);
    uploading.socket.write(
      'PUT /api/v1/models/other/versions HTTP/1.1\r\nHost: localhost\r\n' +
        'Content-Type: application/octet-stream\r\nContent-Length: 1000000\r\n\r\n',
    );
    uploading.socket.write(modelOf(2));
    // Loads long enough to be killed while it loads.
    const content = writeModel(mlp({ sizes: [4, 3000, 3000, 3], seed: 3 }));
    const { version } = await node.client.importModel({
      name: 'risk',
      content: content as Uint8Array<ArrayBuffer>,
    });
    const deploying = expect(node.client.deploy({ name: 'risk', version })).rejects.toMatchObject({
      code: 'NODE_UNREACHABLE',
    });
    // Wait until the start of the rollout has been recorded; before, there is nothing to roll back.
    await expect
      .poll(() => node.client.deploymentHistory({ name: 'risk', kind: 'rollout-started' }), {
        interval: 1,
      })
      .toMatchObject({ entries: [{}] });
    const { rollout } = await node.client.getDeployment({ name: 'risk' });
    expect(rollout?.phase).toBe('warming');
    expect(artifacts()).toHaveLength(3);
    await node.kill();
    await deploying;
    uploading.socket.destroy();
  }
  await using again = await startNodeProcess({ folder });
  const view = await again.client.getDeployment({ name: 'risk' });
  expect(view).toMatchObject({ status: 'ready', targets: [{ version: '1', weight: 100 }] });
  expect((await ask(again)).version).toBe('1');
  const { entries } = await again.client.deploymentHistory({ name: 'risk', kind: 'rolled-back' });
  expect(entries[0]!.reason).toContain('the node stopped during the rollout');
  // The complete upload stays, without traffic; nothing of the incomplete one does.
  const { models } = await again.client.listModels();
  expect(models.map(({ name, versions }) => [name, versions])).toEqual([['risk', ['1', '2']]]);
  expect(artifacts()).toHaveLength(2);
  const { targets } = await again.client.deploy({ name: 'risk', version: '2' });
  expect(targets.map(({ version }) => version)).toContain('2');
});
