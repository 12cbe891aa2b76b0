/** A device that updates by deltas: the exact bytes that were signed, or the whole model with the reason. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { splitFile } from '../bundle/files.ts';
import { readManifest } from '../bundle/manifest.ts';
import {
  retrained,
  smallModel,
  smallPublisher,
  type SmallPublisher,
} from '../bundle/testing/small-bundle.ts';
import { makeDelta } from '../delta/make-delta.ts';
import type { MemoryPlace } from '../trust/testing/memory-place.ts';
import { deviceOf } from '../trust/testing/publisher.ts';
import { fetchModel, openDownload } from './download.ts';
import { closeShared, commit, openDevice, sharedSession } from './testing/edge-device.ts';
import { copyOf, memoryStorage, type MemoryStorage } from './testing/memory-storage.ts';

afterAll(closeShared);

async function readPublished(place: MemoryPlace, root: SmallPublisher['root']) {
  const { targets } = await deviceOf(root).refresh(place);
  return readManifest(place, targets, 'risk');
}

describe('a delta', () => {
  const LARGE = smallModel(4, 3000);
  const VERSIONS = [1, 2, 3].map((seed) => (seed === 1 ? LARGE : retrained(LARGE, seed)));
  const steps: MemoryPlace[] = [];
  let root: SmallPublisher['root'];
  /** A device with the first of these versions, committed. */
  let first: MemoryStorage;
  const open = sharedSession;

  beforeAll(async () => {
    const large = await smallPublisher();
    root = large.root;
    for (const model of [...VERSIONS, VERSIONS[2]!]) {
      await large.pack(model);
      steps.push(large.place.copy());
    }
    first = memoryStorage();
    const device = await openDevice({ storage: first, source: steps[0]!, pinnedRoot: root, open });
    await device.update();
    await commit(device);
  });

  it('takes a part of the bytes, also over a version that the device never had', async () => {
    for (const [at, version] of [2, 3].entries()) {
      const source = steps[at + 1]!;
      const device = await openDevice({ storage: copyOf(first), source, pinnedRoot: root, open });
      const outcome = await device.update();
      expect(outcome).toMatchObject({ kind: 'updated', version, fetched: { model: 'delta' } });
      expect(device.active!.model).toEqual(VERSIONS[version - 1]);
      const { length } = VERSIONS[0]!;
      expect(outcome).toHaveProperty(
        'fetched.bytes',
        expect.toSatisfy((n: number) => n < length / 2),
      );
    }
  });

  it('is not made from older versions, and not needed for a model that the device has', async () => {
    const storage = copyOf(first);
    const away = await openDevice({ storage, source: steps[3]!, pinnedRoot: root, open });
    expect(await away.update()).toMatchObject({
      fetched: { model: 'whole', reason: 'there is no delta from version 1' },
    });
    const third = copyOf(first);
    const device = await openDevice({ storage: third, source: steps[2]!, pinnedRoot: root, open });
    await device.update();
    await commit(device);
    const next = await openDevice({ storage: third, source: steps[3]!, pinnedRoot: root, open });
    const outcome = await next.update();
    expect(outcome).toMatchObject({ version: 4, fetched: { model: 'none' } });
    expect(next.active!.model).toEqual(VERSIONS[2]);
  });

  it('in which a byte is another leads to the whole model, and the reason is reported', async () => {
    const place = steps[1]!;
    const delta = [...place.files.keys()].filter(
      (path) => path.startsWith('chunks/') && !steps[0]!.files.has(path),
    );
    const flipped = new Set<string>();
    for (const path of delta) {
      const bytes = place.files.get(path)!;
      const step = Math.max(1, Math.floor(bytes.length / 12));
      for (let at = 0; at < bytes.length; at += step) {
        const changed = place.copy();
        const other = bytes.slice();
        other[at]! ^= 4;
        changed.files.set(path, other);
        const storage = copyOf(first);
        const device = await openDevice({ storage, source: changed, pinnedRoot: root, open });
        const outcome = await device.update().catch((error: { code: string }) => error.code);
        if (typeof outcome === 'string') {
          // The golden vectors: no other file stands for them.
          expect(outcome).toBe('EDGE_UNTRUSTED');
          expect(device.active!.model).toEqual(VERSIONS[0]);
          continue;
        }
        expect(device.active!.model).toEqual(VERSIONS[1]);
        if (outcome.kind === 'updated' && outcome.fetched.model === 'whole') {
          expect(outcome.fetched.reason).toBe(`memory has another ${path}.`);
          flipped.add(path);
        }
      }
    }
    expect(flipped.size).toBe(1);
  });

  it('that is signed and wrong leads to the whole model', async () => {
    const { manifest } = await readPublished(steps[1]!, root);
    const file = manifest.files['fp32/model.onnx']!;
    const { deltas, ...whole } = file;
    const wrong = await splitFile(makeDelta(VERSIONS[0]!, VERSIONS[2]!));
    const storage = memoryStorage();
    const source = {
      ...steps[1]!,
      read: async (path: string, most: number) =>
        wrong.chunks.get(path.slice('chunks/'.length)) ?? steps[1]!.read(path, most),
    };
    const from = deltas![0]!.from;
    const parent = { version: 1, sha256: from, model: VERSIONS[0]! };
    for (const [delta, reason] of [
      [wrong.file, 'the delta does not lead to the model that was signed'],
      [{ ...wrong.file, length: 5 }, /^the delta cannot be decompressed/],
      [{ ...whole }, 'the delta is not smaller than the model'],
    ] as const) {
      const listed = { ...whole, deltas: [{ ...delta, from }] };
      const found = await fetchModel(openDownload(storage, source), listed, parent);
      expect(found).toMatchObject({
        model: 'whole',
        reason: typeof reason === 'string' ? reason : expect.stringMatching(reason),
      });
      expect(found.content).toEqual(VERSIONS[1]);
    }
  });
});
