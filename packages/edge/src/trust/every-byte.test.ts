/** A device refuses a file of its publisher in which any one byte is another. */
import { beforeAll, describe, expect, it } from 'vitest';
import { publish, rotateRoot } from './publish.ts';
import { memoryPlace } from './testing/memory-place.ts';
import { deviceOf, NOW, publisherOf, type Publisher } from './testing/publisher.ts';

const NEWER = { 'risk.json': { length: 4, hashes: { sha256: 'cd'.repeat(32) } } };

let publisher: Publisher;
beforeAll(async () => {
  publisher = await publisherOf();
});

/** The other case of a letter, another digit, and no ASCII. */
const MASKS = [0x20, 0x01, 0x80];

describe('any byte of any file', () => {
  it.each(['2.root.json', 'timestamp.json', '2.snapshot.json', '2.targets.json'])(
    'of %s',
    { timeout: 120_000 },
    async (path) => {
      const device = deviceOf(publisher.root);
      await device.refresh(publisher.place);
      const good = publisher.place.copy();
      await rotateRoot(good, { before: publisher.keys, after: publisher.keys, now: NOW });
      await publish(good, { keys: publisher.keys, targets: NEWER, now: NOW });
      const bytes = good.files.get(path)!;
      const { state } = device;
      const accepted: number[] = [];
      for (let at = 0; at < bytes.length; at++) {
        const flipped = bytes.slice();
        flipped[at]! ^= MASKS[at % MASKS.length]!;
        device.state = state;
        const isAccepted = await device.refresh(memoryPlace([...good.files, [path, flipped]])).then(
          () => true,
          (error: { code?: string }) => error.code !== 'EDGE_UNTRUSTED',
        );
        if (isAccepted) accepted.push(at);
      }
      expect(accepted).toEqual([]);
      device.state = state;
      await expect(device.refresh(good)).resolves.toMatchObject({
        versions: { root: 2, targets: 2 },
      });
    },
  );
});
