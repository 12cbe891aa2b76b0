/** A device and its publisher: what it accepts, refuses and stores, whatever its clock shows. */
import { beforeAll, describe, expect, it } from 'vitest';
import { sha256, utf8 } from '@skein/api/canonical';
import { createKey, keyId } from './keys.ts';
import { publish, rotateRoot } from './publish.ts';
import { refresh } from './refresh.ts';
import { rootOf, signFile, timestampOf } from './sign.ts';
import { memoryPlace, unreachable } from './testing/memory-place.ts';
import {
  DAY_MS,
  deviceOf,
  keysFor,
  NOW,
  publisherOf,
  type Publisher,
} from './testing/publisher.ts';

const TARGETS = { 'risk.json': { length: 3, hashes: { sha256: 'ab'.repeat(32) } } };
const NEWER = { 'risk.json': { length: 4, hashes: { sha256: 'cd'.repeat(32) } } };

let publisher: Publisher;
beforeAll(async () => {
  publisher = await publisherOf(TARGETS);
});

const refused = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe('a refresh', () => {
  it('returns the targets, and stores a state from which the next one continues', async () => {
    const device = deviceOf(publisher.root);
    const first = await device.refresh(publisher.place);
    expect(first.targets).toEqual(new Map(Object.entries(TARGETS)));
    expect(first.versions).toEqual({ root: 1, targets: 1, snapshot: 1, timestamp: 1 });
    expect(first.expires).toBe('2030-01-31T00:00:00Z');
    const place = publisher.place.copy();
    await publish(place, { keys: publisher.keys, targets: NEWER, now: NOW + DAY_MS });
    const second = await device.refresh(place, NOW + DAY_MS);
    expect(second.targets).toEqual(new Map(Object.entries(NEWER)));
    expect(second.versions).toEqual({ root: 1, targets: 2, snapshot: 2, timestamp: 2 });
  });

  it('reads no snapshot and no targets when the timestamp is the known one', async () => {
    const device = deviceOf(publisher.root);
    await device.refresh(publisher.place);
    const place = publisher.place.copy();
    for (const path of ['1.snapshot.json', '1.targets.json']) place.files.delete(path);
    const saved = device.state;
    await expect(device.refresh(place)).resolves.toMatchObject({ versions: { targets: 1 } });
    expect(device.state).toBe(saved);
  });

  it('leaves the state as it is when any file is refused or missing', async () => {
    const device = deviceOf(publisher.root);
    await device.refresh(publisher.place);
    const saved = device.state;
    const newer = publisher.place.copy();
    await publish(newer, { keys: publisher.keys, targets: NEWER, now: NOW });
    for (const path of ['2.snapshot.json', '2.targets.json']) {
      const place = newer.copy();
      place.files.delete(path);
      await expect(device.refresh(place)).rejects.toEqual(refused('EDGE_UNTRUSTED', /has no 2\./));
      expect(device.state).toBe(saved);
    }
    await expect(device.refresh(unreachable)).rejects.toMatchObject({ code: 'EDGE_UNREACHABLE' });
    expect(device.state).toBe(saved);
    // CVE-2025-2888: a client that had stored the timestamp would refuse the publisher from here on.
    await expect(device.refresh(publisher.place)).resolves.toMatchObject({
      versions: { timestamp: 1 },
    });
  });

  it('counts a damaged state as absent', async () => {
    const device = deviceOf(publisher.root);
    await device.refresh(publisher.place);
    for (const role of ['root', 'timestamp', 'snapshot', 'targets'] as const) {
      const state = { ...device.state!, [role]: utf8('{"signed":') };
      const saved: unknown[] = [];
      const found = await refresh({
        pinnedRoot: publisher.root,
        stored: state,
        source: publisher.place,
        now: NOW,
        save: async (each) => void saved.push(each),
      });
      expect(found.targets.size).toBe(1);
    }
  });
});

describe('a file that another one names', () => {
  /** A place whose timestamp names its snapshot so. */
  const placeWith = async (named: { length?: number; hashes?: { sha256: string } }) => {
    const place = publisher.place.copy();
    const timestamp = timestampOf({ version: 1, ...named }, { version: 2, now: NOW });
    place.files.set('timestamp.json', await signFile(timestamp, publisher.keys.timestamp));
    return place;
  };

  it('is read to its signed length, and no further', async () => {
    const { length } = publisher.place.files.get('1.snapshot.json')!;
    const bounds: Record<string, number> = {};
    const source = {
      ...publisher.place,
      read: (path: string, maxBytes: number) => {
        bounds[path] = maxBytes;
        return publisher.place.read(path, maxBytes);
      },
    };
    await deviceOf(publisher.root).refresh(source);
    expect(bounds['1.snapshot.json']).toBe(length);
    expect(bounds['timestamp.json']).toBe(16_384);
    const place = await placeWith({ length: length + 1 });
    await expect(deviceOf(publisher.root).refresh(place)).rejects.toEqual(
      refused('EDGE_UNTRUSTED', /instead of/),
    );
  });

  it('has the signed digest, even where its signatures are right', async () => {
    const bytes = publisher.place.files.get('1.snapshot.json')!;
    const place = await placeWith({ hashes: { sha256: await sha256(bytes) } });
    await deviceOf(publisher.root).refresh(place);
    place.files.set('1.snapshot.json', utf8(` ${new TextDecoder().decode(bytes)}`));
    await expect(deviceOf(publisher.root).refresh(place)).rejects.toEqual(
      refused('EDGE_UNTRUSTED', /digest/),
    );
  });
});

describe('a new root', () => {
  it('is stored even if the files under it cannot be read, and ends the replaced keys', async () => {
    const device = deviceOf(publisher.root);
    await device.refresh(publisher.place);
    const after = { ...publisher.keys, timestamp: [await createKey()] };
    const place = publisher.place.copy();
    await rotateRoot(place, { before: publisher.keys, after, now: NOW });
    const root = place.files.get('2.root.json');
    place.files.delete('timestamp.json');
    await expect(device.refresh(place)).rejects.toThrow('has no timestamp.json');
    expect(device.state).toEqual({ root });
    // The files of before, with the new root left out.
    await expect(device.refresh(publisher.place)).rejects.toThrow('timestamp.json has 0 valid');
  });

  it('that adds a key for the timestamp lets versions begin anew', async () => {
    const device = deviceOf(publisher.root);
    const place = publisher.place.copy();
    for (let count = 0; count < 3; count++)
      await publish(place, { keys: publisher.keys, now: NOW });
    await device.refresh(place);
    const [own] = publisher.keys.timestamp;
    const after = { ...publisher.keys, timestamp: [own!, await createKey()] };
    const anew = publisher.place.copy();
    await rotateRoot(anew, { before: publisher.keys, after, now: NOW });
    await expect(device.refresh(anew)).resolves.toMatchObject({ versions: { timestamp: 1 } });
  });
});

describe('a clock', () => {
  it('that is set back accepts no file which had expired when a newer one was signed', async () => {
    const later = publisher.place.copy();
    await publish(later, { keys: publisher.keys, targets: NEWER, now: NOW + 40 * DAY_MS });
    const device = deviceOf(publisher.root);
    await expect(device.refresh(later, 0)).resolves.toMatchObject({ clockBehind: true });
    const stale = later.copy();
    const old = NOW + 5 * DAY_MS;
    await publish(stale, { keys: publisher.keys, targets: TARGETS, now: old });
    const saved = device.state;
    await expect(device.refresh(stale, 0)).rejects.toEqual(
      refused('EDGE_EXPIRED', /timestamp.json version 3 .* by the newest signed time/),
    );
    expect(device.state).toBe(saved);
  });

  it('that is set forward stops updates until it is right, and changes no state', async () => {
    const device = deviceOf(publisher.root);
    await device.refresh(publisher.place);
    const saved = device.state;
    const far = NOW + 100 * 365 * DAY_MS;
    await expect(device.refresh(publisher.place, far)).rejects.toEqual(
      refused('EDGE_EXPIRED', /by the clock of this device/),
    );
    expect(device.state).toBe(saved);
    await expect(device.refresh(publisher.place)).resolves.toMatchObject({ clockBehind: false });
  });

  it('of the publisher that was ahead is outlived by a rotation', async () => {
    const ahead = publisher.place.copy();
    await publish(ahead, { keys: publisher.keys, targets: NEWER, now: NOW + 300 * DAY_MS });
    const device = deviceOf(publisher.root);
    await device.refresh(ahead);
    const after = { ...publisher.keys, timestamp: [await createKey()] };
    const mended = publisher.place.copy();
    await rotateRoot(mended, { before: publisher.keys, after, now: NOW });
    await publish(mended, { keys: after, targets: TARGETS, now: NOW });
    await expect(device.refresh(mended)).resolves.toMatchObject({ clockBehind: false });
  });
});

describe('keys', () => {
  it('count once, under how many names a root may have them', async () => {
    const keys = await keysFor();
    const [own] = keys.timestamp;
    const again = { ...own!.key, comment: 'the same key' };
    const id = await keyId(again);
    const signed = rootOf(keys, { version: 1, now: NOW });
    const root = await signFile(
      {
        ...signed,
        keys: { ...signed.keys, [id]: again },
        roles: { ...signed.roles, timestamp: { keyids: [own!.id, id], threshold: 2 } },
      },
      keys.root,
    );
    const place = memoryPlace([['1.root.json', root]]);
    const twice = { ...keys, timestamp: [own!, { ...own!, id }] };
    await expect(publish(place, { keys: twice, targets: {}, now: NOW })).rejects.toEqual(
      refused('EDGE_UNTRUSTED', /timestamp.json has 1 valid signature of the 2/),
    );
  });

  it('have the names of their content', async () => {
    const keys = await keysFor();
    const signed = rootOf(keys, { version: 1, now: NOW });
    const [own] = keys.timestamp;
    const other = await createKey();
    const root = await signFile(
      { ...signed, keys: { ...signed.keys, [own!.id]: other.key } },
      keys.root,
    );
    await expect(deviceOf(root).refresh(memoryPlace())).rejects.toEqual(
      refused('EDGE_UNTRUSTED', /of another/),
    );
  });

  it('that were replaced for the targets leave no old targets, and no way back', async () => {
    const device = deviceOf(publisher.root);
    const second = publisher.place.copy();
    await publish(second, { keys: publisher.keys, targets: NEWER, now: NOW });
    await device.refresh(second);
    const after = { ...publisher.keys, targets: [await createKey()] };
    // The timestamp is still the known one; it leads to targets of the key that was replaced.
    const lost = second.copy();
    await rotateRoot(lost, { before: publisher.keys, after, now: NOW });
    await expect(device.refresh(lost)).rejects.toEqual(
      refused('EDGE_UNTRUSTED', /targets.json has 0 valid/),
    );
    const back = publisher.place.copy();
    await rotateRoot(back, { before: publisher.keys, after, now: NOW });
    await expect(device.refresh(back)).rejects.toEqual(refused('EDGE_UNTRUSTED', /goes back/));
    await publish(lost, { keys: after, targets: TARGETS, now: NOW });
    await expect(device.refresh(lost)).resolves.toMatchObject({ versions: { targets: 3 } });
  });
});

it('refuses bytes that are no metadata with one error, whatever they are', async () => {
  const texts = [
    '',
    'null',
    '[]',
    '{"signed":1,"signatures":[]}',
    '[['.repeat(9000),
    '{"signed":{"_type":"timestamp"},"signatures":[]}',
  ];
  for (const text of texts) {
    const place = publisher.place.copy();
    place.files.set('timestamp.json', utf8(text));
    await expect(deviceOf(publisher.root).refresh(place), text.slice(0, 40)).rejects.toMatchObject({
      code: 'EDGE_UNTRUSTED',
    });
  }
});
