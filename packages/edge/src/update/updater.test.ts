/** A device that updates: what it runs after each event, and after each event at which it was cut off. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { utf8 } from '@skein/api/canonical';
import { RuntimeFailure } from '@skein/runtime';
import { smallModel, smallPublisher, type SmallPublisher } from '../bundle/testing/small-bundle.ts';
import type { Place } from '../trust/publish.ts';
import { unreachable } from '../trust/testing/memory-place.ts';
import { DAY_MS, NOW } from '../trust/testing/publisher.ts';
import { HEALTH_ANSWERS } from './state.ts';
import {
  answerOf,
  closeShared,
  commit,
  openDevice,
  openSession,
  sharedSession,
} from './testing/edge-device.ts';
import { copyOf, memoryStorage, type MemoryStorage } from './testing/memory-storage.ts';
import type { Updater } from './updater.ts';

const MODELS = [1, 2, 3].map((seed) => smallModel(seed));
/** Places after the first, second and third version. */
const places: Place[] = [];
let publisher: SmallPublisher;
let pinnedRoot: SmallPublisher['root'];
/** A device with the first version, committed. */
let installed: MemoryStorage;

const versionOf = (device: Updater): number | undefined => device.active?.manifest.version;

beforeAll(async () => {
  publisher = await smallPublisher();
  pinnedRoot = publisher.root;
  for (const model of MODELS) {
    await publisher.pack(model);
    places.push(publisher.place.copy());
  }
  installed = memoryStorage();
  const device = await openDevice({ storage: installed, source: places[0]!, pinnedRoot });
  await device.update();
  await commit(device);
});

afterAll(closeShared);

describe('a device', () => {
  it('has nothing, installs, and runs it from then on without a network', async () => {
    const storage = memoryStorage();
    const device = await openDevice({ storage, source: places[0]!, pinnedRoot });
    expect(device.active).toBeUndefined();
    expect(await device.update()).toMatchObject({ kind: 'updated', version: 1, from: null });
    expect(device.active!.model).toEqual(MODELS[0]);
    const offline = await openDevice({ storage, source: unreachable, pinnedRoot });
    expect(offline.active!.model).toEqual(MODELS[0]);
    await expect(offline.update()).rejects.toMatchObject({ code: 'EDGE_UNREACHABLE' });
    expect(versionOf(offline)).toBe(1);
  });

  it('updates, stays on trial until it has answered, and has nothing left of the download', async () => {
    const storage = copyOf(installed);
    const device = await openDevice({ storage, source: places[1]!, pinnedRoot });
    expect(await device.update()).toMatchObject({ kind: 'updated', version: 2, from: 1 });
    expect(device.active!.model).toEqual(MODELS[1]);
    expect(await device.update()).toEqual({ kind: 'trial', version: 2 });
    await commit(device);
    expect(await device.update()).toEqual({ kind: 'current', version: 2 });
    expect([...storage.files.keys()].filter((path) => path.startsWith('incoming'))).toEqual([]);
  });

  it('takes no third version while the second one is on trial: the first is what it falls back to', async () => {
    const storage = copyOf(installed);
    const second = await openDevice({ storage, source: places[1]!, pinnedRoot });
    await second.update();
    const third = await openDevice({ storage, source: places[2]!, pinnedRoot });
    expect(await third.update()).toEqual({ kind: 'trial', version: 2 });
    expect(await third.faulted('no answer')).toBe(true);
    expect(third.active!.model).toEqual(MODELS[0]);
    expect(await third.update()).toMatchObject({ kind: 'updated', version: 3, from: 1 });
  });

  it('rolls back at a fault, answers at once, and never installs that version again', async () => {
    const storage = copyOf(installed);
    const device = await openDevice({ storage, source: places[1]!, pinnedRoot });
    await device.update();
    expect(await device.faulted('the camera gives other shapes')).toBe(true);
    expect(await answerOf(device.active!.model)).toEqual(await answerOf(MODELS[0]!));
    const refused = { kind: 'refused', version: 2, reason: 'the camera gives other shapes' };
    expect(await device.update()).toEqual(refused);
    const again = await openDevice({ storage, source: places[1]!, pinnedRoot });
    expect(await again.update()).toEqual(refused);
    expect(versionOf(again)).toBe(1);
  });

  it('that has only a version on trial has none after a fault', async () => {
    const device = await openDevice({ storage: memoryStorage(), source: places[0]!, pinnedRoot });
    await device.update();
    expect(await device.faulted('no answer')).toBe(true);
    expect(device.active).toBeUndefined();
    expect(device.failed).toMatchObject([{ version: 1, reason: 'no answer' }]);
  });

  it('does not take a version whose golden vectors fail, or whose process dies', async () => {
    const wrong = async () => openSession(MODELS[2]!);
    const dies = async (): Promise<never> => {
      throw new RuntimeFailure('lost', 'The process died.');
    };
    for (const [open, reason] of [
      [wrong, /^numbers differ by/],
      [dies, /^The process died\.$/],
    ] as const) {
      const storage = copyOf(installed);
      const device = await openDevice({ storage, source: places[1]!, pinnedRoot, open });
      const refused = { kind: 'refused', version: 2, reason: expect.stringMatching(reason) };
      expect(await device.update()).toEqual(refused);
      expect(device.active!.model).toEqual(MODELS[0]);
      expect(await device.update()).toEqual(refused);
    }
  });

  it('that is too old, or reads an expired bundle, keeps what it has and fails nothing', async () => {
    const storage = copyOf(installed);
    const old = await openDevice({
      storage,
      source: places[1]!,
      pinnedRoot,
      runtimeVersion: '1.9.2',
    });
    expect(await old.update()).toEqual({
      kind: 'refused',
      version: 2,
      reason: 'it needs ONNX Runtime 1.30.0, and this device has 1.9.2',
    });
    const newer = await openDevice({
      storage,
      source: places[1]!,
      pinnedRoot,
      runtimeVersion: '2.0.0',
    });
    expect(await newer.update()).toMatchObject({ kind: 'updated' });
  });

  it('whose signatures have expired runs on, and updates no more', async () => {
    const now = () => NOW + 60 * DAY_MS;
    const device = await openDevice({
      storage: copyOf(installed),
      source: places[1]!,
      pinnedRoot,
      now,
    });
    await expect(device.update()).rejects.toMatchObject({ code: 'EDGE_EXPIRED' });
    expect(device.active!.model).toEqual(MODELS[0]);
  });

  it('goes back to no older version, even without its trusted files', async () => {
    const storage = copyOf(installed);
    const device = await openDevice({ storage, source: places[1]!, pinnedRoot });
    await device.update();
    await commit(device);
    storage.files.delete('trust.json');
    const attacked = await openDevice({ storage, source: places[0]!, pinnedRoot });
    await expect(attacked.update()).rejects.toMatchObject({
      code: 'EDGE_UNTRUSTED',
      message: expect.stringContaining('goes back from version 2 to 1'),
    });
    expect(versionOf(attacked)).toBe(2);
  });

  it('resumes at the chunks that it lacks', async () => {
    const storage = copyOf(installed);
    const read: string[] = [];
    let isCut = true;
    const source = {
      ...places[1]!,
      read: async (path: string, maxBytes: number) => {
        if (path.startsWith('chunks/')) {
          if (isCut && read.length === 1) return unreachable.read(path, maxBytes);
          read.push(path);
        }
        return places[1]!.read(path, maxBytes);
      },
    };
    const device = await openDevice({ storage, source, pinnedRoot });
    await expect(device.update()).rejects.toMatchObject({ code: 'EDGE_UNREACHABLE' });
    expect(versionOf(device)).toBe(1);
    isCut = false;
    const next = await openDevice({ storage, source, pinnedRoot });
    expect(await next.update()).toMatchObject({ kind: 'updated', version: 2 });
    expect(new Set(read).size).toBe(read.length);
  });

  it('whose chunk on the disk is damaged reads it again', async () => {
    const storage = copyOf(installed);
    const cut = {
      ...places[1]!,
      read: async (path: string, max: number) => {
        const bytes = await places[1]!.read(path, max);
        if (
          path.startsWith('chunks/') &&
          [...storage.files.keys()].some((each) => each.startsWith('incoming/'))
        )
          return undefined;
        return bytes;
      },
    };
    const first = await openDevice({ storage, source: cut, pinnedRoot });
    await expect(first.update()).rejects.toMatchObject({ code: 'EDGE_UNTRUSTED' });
    const chunk = [...storage.files.keys()].find((each) => each.startsWith('incoming/'))!;
    storage.files.get(chunk)![5]! ^= 1;
    const next = await openDevice({ storage, source: places[1]!, pinnedRoot });
    expect(await next.update()).toMatchObject({ kind: 'updated', version: 2 });
  });
});

describe('damaged files', () => {
  it('of the active version lead back to the one before; of both, to none', async () => {
    const storage = copyOf(installed);
    const device = await openDevice({ storage, source: places[1]!, pinnedRoot });
    await device.update();
    await commit(device);
    const flip = (path: string): void => {
      storage.files.get(path)![40]! ^= 1;
    };
    for (const [path, version] of [
      ['b/fp32/model.onnx', 1],
      ['a/fp32/golden.json', undefined],
    ] as const) {
      flip(path);
      const next = await openDevice({ storage, source: unreachable, pinnedRoot });
      expect(versionOf(next)).toBe(version);
    }
    const online = await openDevice({ storage, source: places[1]!, pinnedRoot });
    expect(await online.update()).toMatchObject({ kind: 'updated', version: 2, from: null });
  });

  it('of the state count as none', async () => {
    const storage = copyOf(installed);
    storage.files.set('state.json', utf8('{"schema":1,'));
    const device = await openDevice({ storage, source: places[0]!, pinnedRoot });
    expect(device.active).toBeUndefined();
    expect(await device.update()).toMatchObject({ kind: 'updated', version: 1 });
  });

  it('of the publisher are refused, each of them, and change nothing that runs', async () => {
    const good = publisher.place;
    for (const [path, bytes] of good.files) {
      const isOfOlder = /^(1\.root|[12]\.(targets|snapshot))\.json$/.test(path);
      if (isOfOlder) continue;
      for (const at of [0, Math.floor(bytes.length / 2), bytes.length - 1]) {
        const place = good.copy();
        const flipped = bytes.slice();
        flipped[at]! ^= 4;
        place.files.set(path, flipped);
        const device = await openDevice({
          storage: copyOf(installed),
          source: place,
          pinnedRoot,
          open: sharedSession,
        });
        const outcome = await device.update().then(
          ({ kind }) => kind,
          (error: { code: string }) => error.code,
        );
        // Files of older versions, which this update does not read.
        if (outcome === 'updated') expect(device.active!.model).toEqual(MODELS[2]);
        else {
          expect(outcome, path).toBe('EDGE_UNTRUSTED');
          expect(device.active!.model).toEqual(MODELS[0]);
        }
      }
    }
  });
});

describe('cut off at every change of its storage', () => {
  /** Changes that an update makes when it is left alone. */
  async function changesOf(): Promise<number> {
    const storage = copyOf(installed);
    const device = await openDevice({
      storage,
      source: places[1]!,
      pinnedRoot,
      open: sharedSession,
    });
    await device.update();
    await commit(device);
    return storage.changes;
  }

  it.each(['before', 'after'] as const)(
    '%s it, a device runs the old version or the new one, whole',
    { timeout: 120_000 },
    async (kind) => {
      const changes = await changesOf();
      expect(changes).toBeGreaterThan(10);
      const seen = new Set<number>();
      for (let at = 0; at < changes; at++) {
        const storage = copyOf(installed);
        storage.fault = { at, kind };
        const cut = await openDevice({
          storage,
          source: places[1]!,
          pinnedRoot,
          open: sharedSession,
        });
        await expect(
          (async () => {
            await cut.update();
            await commit(cut);
          })(),
        ).rejects.toThrow('lost its power');
        storage.fault = undefined;
        const offline = await openDevice({
          storage,
          source: unreachable,
          pinnedRoot,
          open: sharedSession,
        });
        const version = versionOf(offline)!;
        seen.add(version);
        expect(offline.active!.model).toEqual(MODELS[version - 1]);
        const next = await openDevice({
          storage,
          source: places[1]!,
          pinnedRoot,
          open: sharedSession,
        });
        await next.update();
        expect(next.active!.model, `change ${at}`).toEqual(MODELS[1]);
      }
      expect(seen).toEqual(new Set([1, 2]));
    },
  );

  it('by a full disk, it keeps its version, and no part of the other', async () => {
    const changes = await changesOf();
    let refused = 0;
    for (let at = 0; at < changes - HEALTH_ANSWERS; at++) {
      const storage = copyOf(installed);
      storage.fault = { at, kind: 'full' };
      const device = await openDevice({
        storage,
        source: places[1]!,
        pinnedRoot,
        open: sharedSession,
      });
      const outcome = await device.update().then(
        ({ kind }) => kind,
        (error: { code: string }) => error.code,
      );
      // The last changes remove the download, which takes no space.
      const isWhole = outcome === 'updated';
      if (!isWhole) expect(outcome).toBe('STORAGE_FULL');
      refused += isWhole ? 0 : 1;
      expect(device.active!.model).toEqual(MODELS[isWhole ? 1 : 0]);
      const parts = [...storage.files.keys()].filter((path) => /^(incoming|b)\//.test(path));
      expect(parts.length > 0).toBe(isWhole);
      storage.fault = undefined;
      const next = await openDevice({
        storage,
        source: places[1]!,
        pinnedRoot,
        open: sharedSession,
      });
      await next.update();
      expect(next.active!.model).toEqual(MODELS[1]);
    }
    expect(refused).toBeGreaterThan(6);
  });
});
