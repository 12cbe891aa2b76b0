/** A real node on a real disk that fills up: nothing is stored in part, nothing is lost, and the node continues. */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createClient } from '@skein/api/client';
import { mlp, writeModel, type Model } from '@skein/onnx';
import { runCli } from '../../../../cli/src/testing/cli.ts';
import { startNodeProcess } from '../../testing/node-process.ts';
import { fillDisk, mountTinyDisk, tinyDisk } from '../../../../state/src/testing/tiny-disk.ts';

const small = (seed: number): Model => mlp({ sizes: [4, 8, 3], seed });
/** 16 MiB. */
const large = mlp({ sizes: [2048, 2048, 4], seed: 1 });
const settings = { objective: { latencyMs: 10_000 } };
const full = { code: 'STORAGE_FULL' };

describe.skipIf(tinyDisk.skip)('a node whose disk is full', () => {
  it(
    'reports it, keeps serving, and stores again when there is space',
    { timeout: 60_000 },
    async () => {
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

        fillDisk(ballast);
        await expect(upload(small(2))).rejects.toMatchObject(full);
        // The operator has a reserve; once it is used up, the disk is full for the operator, too.
        await client.createKey({ label: 'k' });
        fillDisk(ballast);
        await expect(client.createKey({ label: 'l' })).rejects.toMatchObject(full);
        await expect(
          client.changeSettings({ name: 'risk', settings: { maxQueue: 7 } }),
        ).rejects.toMatchObject(full);
        expect(artifacts()).toEqual(stored);
        expect(await versions()).toEqual(['1']);
        expect((await client.getDeployment({ name: 'risk' })).settings.maxQueue).toBe(1024);
        expect((await client.listKeys()).keys).toMatchObject([{ label: 'k' }]);
        for (let i = 0; i < 100; i++) expect(await ask()).toBe('1');

        rmSync(ballast);
        const { targets } = await node.deploy('risk', small(2), settings);
        expect(targets.map(({ version }) => version)).toEqual(['2']);
        expect(await ask()).toBe('2');

        fillDisk(ballast);
        expect((await node.stop()).code).toBe(0);
      }
      rmSync(ballast);
      await using again = await startNodeProcess({ folder: disk.folder });
      const view = await again.client.getDeployment({ name: 'risk' });
      expect(view).toMatchObject({ status: 'ready', targets: [{ version: '2' }] });
      const { entries } = await again.client.deploymentHistory({ name: 'risk' });
      expect(entries.map(({ kind }) => kind)).toContain('rollout-finished');
    },
  );

  it('refuses a key from the moment that it is revoked, though that key has filled the disk', async () => {
    using disk = mountTinyDisk('size=64m');
    const made = await runCli(['keys', 'create', '--scope', 'admin', '--json'], {
      cwd: disk.folder,
    });
    const { secret: admin } = JSON.parse(made.stdout) as { secret: string };
    const options = {
      folder: disk.folder,
      key: admin,
      args: ['--keys', 'required', '--max-artifacts', '1GiB'],
    };
    let secret: string;
    {
      await using node = await startNodeProcess(options);
      const created = await node.client.createKey({
        label: 'k',
        tenant: 'mallory',
        scopes: ['jobs'],
      });
      ({ secret } = created);
      const mallory = createClient({ url: node.url, key: secret });
      const upload = () => mallory.uploadArtifact({ content: randomBytes(2 ** 22) });
      const job = { work: { kind: 'command' as const, argv: ['true'] } };
      for (let error: unknown; error === undefined;) {
        error = await upload().then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        if (error !== undefined) expect(error).toMatchObject(full);
      }
      // The space reserved from callers is still free; other programs may use it.
      expect(bytesFree(disk.folder)).toBeGreaterThan(2 * 2 ** 20);
      fillDisk(join(disk.folder, 'ballast'));
      await expect(mallory.enqueueJobs({ jobs: [job] })).rejects.toMatchObject(full);

      await node.client.revokeKey({ id: created.id });
      await expect(upload()).rejects.toMatchObject({ code: 'KEY_INVALID' });
      await expect(mallory.listJobs()).rejects.toMatchObject({ code: 'KEY_INVALID' });
      expect(await node.client.getKey({ id: created.id })).toMatchObject({ durable: true });
      await node.kill();
    }
    await using again = await startNodeProcess(options);
    const mallory = createClient({ url: again.url, key: secret });
    await expect(mallory.listJobs()).rejects.toMatchObject({ code: 'KEY_INVALID' });
  }, 60_000);

  it('does not start on a disk without space, and gives the reason', async () => {
    using disk = mountTinyDisk('size=64k');
    fillDisk(join(disk.folder, 'ballast'));
    await expect(startNodeProcess({ folder: disk.folder })).rejects.toMatchObject(full);
    expect(existsSync(join(disk.folder, '.skein/node.json'))).toBe(false);
  });
});

function bytesFree(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}
