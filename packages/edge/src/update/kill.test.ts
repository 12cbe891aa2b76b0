/**
 * A device whose process is killed during an update by a delta, with SIGKILL, and its disk. After each kill it runs the old version
 * or the new one without a network, and the next process finishes the update. `SKEIN_FULL=1`: 200 moments.
 */
import { execFile } from 'node:child_process';
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { retrained, smallModel, smallPublisher } from '../bundle/testing/small-bundle.ts';
import { diskStorage } from '../node/disk-storage.ts';
import { folderPlace } from '../node/folder-place.ts';
import { unreachable } from '../trust/testing/memory-place.ts';
import type { Bytes } from '../trust/source.ts';
import { HEALTH_ANSWERS } from './state.ts';
import { openDevice } from './testing/edge-device.ts';

const run = promisify(execFile);
const PROCESS = join(import.meta.dirname, 'testing/update-process.ts');
const MOMENTS = ['before', 'within', 'after'] as const;
const KILLS = process.env['SKEIN_FULL'] === '1' ? 200 : 12;

let folder: string;
let root: Bytes;
let models: readonly Bytes[];
/** Changes of the storage during an update that ends. */
let changes: number;
/** How that update came by its model. */
let model: string;

const path = (name: string): string => join(folder, name);
const update = (device: string, ...kill: readonly string[]) =>
  run(process.execPath, [
    '--no-warnings',
    PROCESS,
    device,
    path('place'),
    path('root.json'),
    ...kill,
  ]);

beforeAll(async () => {
  folder = testFolder();
  const publisher = await smallPublisher();
  ({ root } = publisher);
  writeFileSync(path('root.json'), root);
  // Three chunks each: weights have no repetitions.
  const before = smallModel(1, 20_000);
  models = [before, retrained(before, 2)];
  const place = folderPlace(path('place'));
  await place.write('1.root.json', root);
  await publisher.pack(
    models[0]!,
    { runtimes: { native: (await import('@skein/runtime')).nativeRuntime } },
    place,
  );
  const storage = diskStorage(path('first'));
  const device = await openDevice({ storage, source: place, pinnedRoot: root });
  await device.update();
  for (let count = 0; count < HEALTH_ANSWERS; count++) await device.answered();
  await publisher.pack(
    models[1]!,
    { runtimes: { native: (await import('@skein/runtime')).nativeRuntime } },
    place,
  );
  cpSync(path('first'), path('whole'), { recursive: true });
  const { stdout } = await update(path('whole'));
  const outcome = JSON.parse(stdout) as { changes: number; fetched: { model: string } };
  model = outcome.fetched.model;
  ({ changes } = outcome);
});

describe('a process that is killed', () => {
  it('leaves a version that runs, and an update that ends', { timeout: 600_000 }, async () => {
    expect(model).toBe('delta');
    expect(changes).toBeGreaterThan(HEALTH_ANSWERS + 8);
    const device = path('device');
    const seen = new Set<number>();
    const spread = Math.max(1, (changes * MOMENTS.length) / KILLS);
    for (let kill = 0; kill < KILLS; kill++) {
      const point = Math.floor(kill * spread) % (changes * MOMENTS.length);
      rmSync(device, { recursive: true, force: true });
      cpSync(path('first'), device, { recursive: true });
      const at = [String(Math.floor(point / MOMENTS.length)), MOMENTS[point % MOMENTS.length]!];
      await expect(update(device, ...at), at.join(' ')).rejects.toMatchObject({
        signal: 'SIGKILL',
      });
      const storage = diskStorage(device);
      const offline = await openDevice({ storage, source: unreachable, pinnedRoot: root });
      const { version } = offline.active!.manifest;
      seen.add(version);
      expect(offline.active!.model, at.join(' ')).toEqual(models[version - 1]);
      const { stdout } = await update(device);
      const next = await openDevice({ storage, source: unreachable, pinnedRoot: root });
      expect(next.active!.model, stdout).toEqual(models[1]);
    }
    expect(seen).toEqual(new Set([1, 2]));
  });
});
