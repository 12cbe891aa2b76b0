/** A real node on a real disk that fills up: nothing half stored, nothing forgotten, and it goes on. */
import { existsSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mlp, writeModel, type Model } from '@skein/onnx';
import { startNodeProcess } from '../testing/node-process.ts';
import { mountTinyDisk, tinyDisk } from '../testing/tiny-disk.ts';

const small = (seed: number): Model => mlp({ sizes: [4, 8, 3], seed });
/** 16 MiB. */
const large = mlp({ sizes: [2048, 2048, 4], seed: 1 });
const settings = { objective: { latencyMs: 10_000 } };
const full = { code: 'STORAGE_FULL' };

describe.skipIf(tinyDisk.skip)('a node whose disk is full', () => {
  it('says so, serves on, and stores again when there is room', { timeout: 60_000 }, async () => {
    using disk = mountTinyDisk('size=12m');
    const data = join(disk.folder, '.skein');
    const artifacts = () => readdirSync(join(data, 'artifacts'));
    const ballast = join(disk.folder, 'ballast');
    {
      await using node = await startNodeProcess({ folder: disk.folder });
      const { client } = node;
      const x = { shape: [1, 4], data: Float32Array.of(1, 2, 3, 4) };
      const ask = async () => (await client.infer('risk', { x })).version;
      const upload = (model: Model) =>
        client.importModel({
          name: 'risk',
          content: writeModel(model) as Uint8Array<ArrayBuffer>,
        });
      const versions = async () =>
        (await client.listVersions({ name: 'risk' })).versions.map(({ version }) => version);

      await node.deploy('risk', small(1), settings);
      const stored = artifacts();

      await expect(upload(large)).rejects.toMatchObject(full);
      expect(artifacts()).toEqual(stored);
      expect(await versions()).toEqual(['1']);
      expect(await ask()).toBe('1');

      fillUp(disk.folder, ballast);
      await expect(upload(small(2))).rejects.toMatchObject(full);
      await expect(client.createKey({ label: 'k' })).rejects.toMatchObject(full);
      await expect(
        client.changeSettings({ name: 'risk', settings: { maxQueue: 7 } }),
      ).rejects.toMatchObject(full);
      expect(artifacts()).toEqual(stored);
      expect(await versions()).toEqual(['1']);
      expect((await client.getDeployment({ name: 'risk' })).settings.maxQueue).toBe(1024);
      expect((await client.listKeys()).keys).toEqual([]);
      for (let i = 0; i < 100; i++) expect(await ask()).toBe('1');

      rmSync(ballast);
      const { targets } = await node.deploy('risk', small(2), settings);
      expect(targets.map(({ version }) => version)).toEqual(['2']);
      expect(await ask()).toBe('2');

      fillUp(disk.folder, ballast);
      expect((await node.stop()).code).toBe(0);
    }
    rmSync(ballast);
    await using again = await startNodeProcess({ folder: disk.folder });
    const view = await again.client.getDeployment({ name: 'risk' });
    expect(view).toMatchObject({ status: 'ready', targets: [{ version: '2' }] });
    const { entries } = await again.client.deploymentHistory({ name: 'risk' });
    expect(entries.map(({ kind }) => kind)).toContain('rollout-finished');
  });

  it('does not start on a disk without room, and says why', async () => {
    using disk = mountTinyDisk('size=64k');
    fillUp(disk.folder, join(disk.folder, 'ballast'));
    await expect(startNodeProcess({ folder: disk.folder })).rejects.toMatchObject(full);
    expect(existsSync(join(disk.folder, '.skein/node.json'))).toBe(false);
  });
});

/** Writes until not one block is free, beside a node that may take the last of them itself. */
function fillUp(folder: string, file: string): void {
  for (let free = bytesFree(folder); free > 0; free = bytesFree(folder)) {
    try {
      writeFileSync(file, Buffer.alloc(free), { flag: 'a' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
}

function bytesFree(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}
