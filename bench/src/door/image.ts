/**
 * The container image, as deploy/container/build.sh makes it here: the bytes that a registry would send, and the time
 * from `docker run` to readiness.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createGzip } from 'node:zlib';
import { requireComponent } from '../../../scripts/testing/components.ts';
import { temporaryFolder } from '../harness/folder.ts';
import { freePort } from '../harness/free-port.ts';
import type { RowGroup } from '../harness/row-group.ts';
import { median } from '../harness/statistics.ts';

const BUILD = join(import.meta.dirname, '../../../deploy/container/build.sh');
/** The level that Docker pushes with is close to it. */
const GZIP_LEVEL = 6;
const STARTS = 5;
const POLL_MS = 10;
/** A container that is not ready by then never will be. */
const READY_LIMIT_MS = 60_000;

const run = promisify(execFile);

async function docker(...args: string[]): Promise<string> {
  return (await run('docker', args, { maxBuffer: 2 ** 24 })).stdout.trim();
}

export const image: RowGroup = {
  measures: [
    {
      key: 'image_mb',
      what: 'the container image, each layer compressed (gzip -6)',
      unit: ' MB',
      target: { atMost: 160 },
    },
    {
      key: 'image_ready_s',
      what: '`docker run` of the image to ready',
      unit: ' s',
      target: { atMost: 3 },
    },
  ],
  async measure({ quick, progress }) {
    // To build the image takes more than a short run may.
    if (quick) return { results: {}, details: {} };
    const { skip, reason } = requireComponent('docker');
    if (skip) return { results: {}, details: { image: { skipped: reason } } };
    const name = `skein-bench-${randomUUID().slice(0, 8)}`;
    progress('building the image');
    await run(BUILD, ['--tag', name], { maxBuffer: 2 ** 24 });
    try {
      progress('compressing the layers of the image');
      const layers = await compressedLayers(name);
      const starts: number[] = [];
      const key = await docker('run', '--rm', name, 'keys', 'generate');
      for (let start = 1; start <= STARTS; start++) {
        progress(`starting the image, ${start} of ${STARTS}`);
        starts.push(await secondsToReady(name, key));
      }
      return {
        results: {
          image_mb: layers.reduce((sum, bytes) => sum + bytes, 0) / 1e6,
          image_ready_s: median(starts),
        },
        details: { image: { layers, starts } },
      };
    } finally {
      await docker('rmi', '--force', name);
    }
  },
};

/** Bytes of each layer. */
async function compressedLayers(name: string): Promise<readonly number[]> {
  const folder = await temporaryFolder();
  try {
    const archive = join(folder.path, 'image.tar');
    await docker('save', '--output', archive, name);
    await run('tar', ['-x', '-f', archive, '-C', folder.path]);
    const manifest = await readFile(join(folder.path, 'manifest.json'), 'utf8');
    const [{ Layers }] = JSON.parse(manifest) as [{ Layers: readonly string[] }];
    return await Promise.all(Layers.map((layer) => compressedBytes(join(folder.path, layer))));
  } finally {
    await folder.remove();
  }
}

async function compressedBytes(file: string): Promise<number> {
  let bytes = 0;
  const compressed = createReadStream(file).compose(createGzip({ level: GZIP_LEVEL }));
  for await (const chunk of compressed) bytes += (chunk as Buffer).length;
  return bytes;
}

/** A node with an empty volume and a first key: without a key it does not listen beyond loopback. */
async function secondsToReady(name: string, key: string): Promise<number> {
  const port = await freePort();
  const begun = performance.now();
  const publish = `127.0.0.1:${port}:4700`;
  const env = `SKEIN_ADMIN_KEY=${key}`;
  const container = await docker('run', '--detach', '--publish', publish, '--env', env, name);
  try {
    const url = `http://127.0.0.1:${port}/v2/health/ready`;
    while (!(await answers(url))) {
      if (performance.now() - begun > READY_LIMIT_MS) {
        throw new Error(`The container is not ready: ${await docker('logs', container)}`);
      }
      await pause(POLL_MS);
    }
    return (performance.now() - begun) / 1000;
  } finally {
    await docker('rm', '--force', '--volumes', container);
  }
}

const answers = (url: string): Promise<boolean> =>
  fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
