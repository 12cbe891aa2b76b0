/** The oracle: tuf-js accepts what this publisher signs, this device what tuf-js signs, and each attack is refused by both. */
import { createHash, generateKeyPairSync, sign as signWith, type KeyObject } from 'node:crypto';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { sha256, utf8 } from '@skein/api/canonical';
import {
  Key,
  Metadata,
  MetaFile,
  Root,
  Signature,
  Snapshot,
  TargetFile,
  Targets,
  Timestamp,
} from '@tufjs/models';
import { beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { createKey } from './keys.ts';
import { MOST_BYTES } from './metadata.ts';
import { publish, rotateRoot } from './publish.ts';
import { rootOf, signFile, snapshotOf, targetsOf, timestampOf, type RoleKeys } from './sign.ts';
import { memoryPlace, type MemoryPlace } from './testing/memory-place.ts';
import {
  DAY_MS,
  deviceOf,
  keysFor,
  NOW,
  publisherOf,
  type Publisher,
} from './testing/publisher.ts';
import { tufDevice } from './testing/tuf-js.ts';
import type { Bytes } from './source.ts';

const { canonicalize } = createRequire(import.meta.url)('@tufjs/canonical-json') as {
  readonly canonicalize: (value: unknown) => string;
};
const CONTENT = utf8('a manifest');
const targetsNow = async () => ({
  'risk.json': { length: CONTENT.length, hashes: { sha256: await sha256(CONTENT) } },
});

let publisher: Publisher;
beforeAll(async () => {
  publisher = await publisherOf(await targetsNow());
});

describe('tuf-js', () => {
  it('accepts what is published here, roots with several keys, and reads a target', async () => {
    const keys = await keysFor({ root: 3, timestamp: 2 });
    const root = await signFile(
      rootOf(keys, { version: 1, now: NOW }, { root: 2, timestamp: 2 }),
      keys.root,
    );
    const place = memoryPlace([['1.root.json', root]]);
    const targets = await targetsNow();
    await publish(place, { keys, targets, now: NOW });
    place.files.set(`targets/${targets['risk.json'].hashes.sha256}.risk.json`, CONTENT);
    const device = tufDevice(root, testFolder());
    await device.refresh(place);
    expect(readFileSync((await device.download('risk.json'))!, 'utf8')).toBe('a manifest');
    await publish(place, { keys, targets: {}, now: NOW });
    await device.refresh(place);
    expect(await device.download('risk.json')).toBeUndefined();
  });

  it('signs what a device here accepts', async () => {
    const place = memoryPlace();
    const expires = '2031-01-01T00:00:00Z';
    const pairs = ['root', 'targets', 'snapshot', 'timestamp'].map((role) => {
      const { privateKey, publicKey } = generateKeyPairSync('ed25519');
      const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex');
      const key = { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: raw }, comment: role };
      const id = createHash('sha256').update(canonicalize(key)).digest('hex');
      return { role, id, privateKey, key: Key.fromJSON(id, key) };
    });
    const root = new Root({ version: 1, expires, specVersion: '1.0.31' });
    for (const { role, key } of pairs) root.addKey(key, role);
    const write = (
      path: string,
      role: string,
      metadata: Metadata<Root | Targets | Snapshot | Timestamp>,
    ): Bytes => {
      const { id, privateKey } = pairs.find((each) => each.role === role)! as {
        id: string;
        privateKey: KeyObject;
      };
      metadata.sign(
        (data: Buffer) =>
          new Signature({ keyID: id, sig: signWith(null, data, privateKey).toString('hex') }),
      );
      // Other publishers indent their files.
      const bytes = utf8(JSON.stringify(metadata.toJSON(), null, 1));
      place.files.set(path, bytes);
      return bytes;
    };
    const pinned = write('1.root.json', 'root', new Metadata(root));
    const targets = new Targets({ version: 7, expires, specVersion: '1.0.31' });
    targets.addTarget(
      new TargetFile({
        path: 'a "b" \\ü.json',
        length: 3,
        hashes: { sha256: 'ab'.repeat(32) },
        unrecognizedFields: { custom: { note: 1 } },
      }),
    );
    write('7.targets.json', 'targets', new Metadata(targets));
    const snapshot = write(
      '5.snapshot.json',
      'snapshot',
      new Metadata(
        new Snapshot({
          specVersion: '1.0.31',
          version: 5,
          expires,
          meta: { 'targets.json': new MetaFile({ version: 7 }) },
        }),
      ),
    );
    const hashes = { sha256: createHash('sha256').update(snapshot).digest('hex') };
    write(
      'timestamp.json',
      'timestamp',
      new Metadata(
        new Timestamp({
          specVersion: '1.0.31',
          version: 9,
          expires,
          snapshotMeta: new MetaFile({ version: 5, length: snapshot.length, hashes }),
        }),
      ),
    );
    await tufDevice(pinned, testFolder()).refresh(place);
    const found = await deviceOf(pinned).refresh(place);
    expect(found.versions).toEqual({ root: 1, targets: 7, snapshot: 5, timestamp: 9 });
    expect([...found.targets.keys()]).toEqual(['a "b" \\ü.json']);
  });
});

interface Attack {
  /** The publisher's keys and the files that the devices have accepted, as the attacker got them. */
  (published: { readonly place: MemoryPlace; readonly keys: RoleKeys }): Promise<MemoryPlace>;
}

/** Files from the targets down, each as an attacker with some of the keys would sign it. */
async function forged(
  keys: RoleKeys,
  change: {
    readonly targets?: { version?: number; now?: number };
    readonly snapshot?: { version?: number; now?: number; targets?: number };
    readonly timestamp?: { version?: number; now?: number; snapshot?: number };
  },
): Promise<(readonly [string, Bytes])[]> {
  const common = { version: 2, now: NOW };
  const targets = { ...common, ...change.targets };
  const snapshot = { ...common, targets: targets.version, ...change.snapshot };
  const timestamp = { ...common, snapshot: snapshot.version, ...change.timestamp };
  return [
    [`${targets.version}.targets.json`, await signFile(targetsOf({}, targets), keys.targets)],
    [
      `${snapshot.version}.snapshot.json`,
      await signFile(snapshotOf({ version: snapshot.targets }, snapshot), keys.snapshot),
    ],
    [
      'timestamp.json',
      await signFile(timestampOf({ version: timestamp.snapshot }, timestamp), keys.timestamp),
    ],
  ];
}

const EXPIRED = NOW - 800 * DAY_MS;
const over = (place: MemoryPlace, files: Iterable<readonly [string, Bytes]>): MemoryPlace =>
  memoryPlace([...place.files, ...files]);
/** A file with spaces after it, which JSON allows. */
const padded = (bytes: Bytes, length: number): Bytes => {
  const longer = new Uint8Array(length).fill(0x20);
  longer.set(bytes);
  return longer;
};

const ATTACKS: Readonly<Record<string, Attack>> = {
  'a timestamp of another key': async ({ place, keys }) =>
    over(place, await forged({ ...keys, timestamp: [await createKey()] }, {})),
  'a snapshot of another key': async ({ place, keys }) =>
    over(place, await forged({ ...keys, snapshot: keys.timestamp }, {})),
  'targets of another key': async ({ place, keys }) =>
    over(place, await forged({ ...keys, targets: keys.snapshot }, {})),
  'rollback of the timestamp': async ({ place, keys }) =>
    over(place, await forged(keys, { timestamp: { version: 1 } })),
  'rollback of the snapshot': async ({ place, keys }) =>
    over(
      place,
      await forged(keys, {
        targets: { version: 4 },
        snapshot: { version: 1 },
        timestamp: { version: 4 },
      }),
    ),
  'rollback of the targets': async ({ place, keys }) =>
    over(
      place,
      await forged(keys, {
        targets: { version: 1 },
        snapshot: { version: 4 },
        timestamp: { version: 4 },
      }),
    ),
  'mix-and-match: an older snapshot under a new name': async ({ place, keys }) =>
    over(place, [
      ...(await forged(keys, { snapshot: { version: 4 }, timestamp: { version: 4 } })),
      ['4.snapshot.json', place.files.get('3.snapshot.json')!],
    ]),
  'mix-and-match: older targets under a new name': async ({ place, keys }) =>
    over(place, [
      ...(await forged(keys, {
        targets: { version: 4 },
        snapshot: { version: 4 },
        timestamp: { version: 4 },
      })),
      ['4.targets.json', place.files.get('3.targets.json')!],
    ]),
  'freeze: an expired timestamp': async ({ place, keys }) =>
    over(
      place,
      await forged(keys, {
        targets: { version: 4 },
        snapshot: { version: 4 },
        timestamp: { version: 4, now: EXPIRED },
      }),
    ),
  'freeze: an expired snapshot': async ({ place, keys }) =>
    over(
      place,
      await forged(keys, {
        targets: { version: 4 },
        snapshot: { version: 4, now: EXPIRED },
        timestamp: { version: 4 },
      }),
    ),
  'freeze: expired targets': async ({ place, keys }) =>
    over(
      place,
      await forged(keys, {
        targets: { version: 4, now: EXPIRED },
        snapshot: { version: 4 },
        timestamp: { version: 4 },
      }),
    ),
  'endless data: a timestamp without end': async ({ place, keys }) => {
    const files = new Map(
      await forged(keys, {
        targets: { version: 4 },
        snapshot: { version: 4 },
        timestamp: { version: 4 },
      }),
    );
    return over(place, [
      ...files,
      ['timestamp.json', padded(files.get('timestamp.json')!, MOST_BYTES.timestamp + 1)],
    ]);
  },
  'endless data: a snapshot longer than signed': async ({ place, keys }) => {
    const newer = place.copy();
    await publish(newer, { keys, now: NOW });
    const bytes = newer.files.get('4.snapshot.json')!;
    return over(newer, [['4.snapshot.json', padded(bytes, bytes.length + 1)]]);
  },
  'endless data: a root without end': async ({ place, keys }) => {
    const newer = place.copy();
    await rotateRoot(newer, { before: keys, after: keys, now: NOW });
    return over(newer, [
      ['2.root.json', padded(newer.files.get('2.root.json')!, MOST_BYTES.root + 1)],
    ]);
  },
  'a file of another role': async ({ place, keys }) =>
    over(place, [
      [
        'timestamp.json',
        await signFile(snapshotOf({ version: 3 }, { version: 9, now: NOW }), keys.timestamp),
      ],
    ]),
  'a root that the old keys did not sign': async ({ place, keys }) => {
    const other = { ...keys, root: [await createKey()] };
    return over(place, [
      ['2.root.json', await signFile(rootOf(other, { version: 2, now: NOW }), other.root)],
    ]);
  },
  'a root that its own keys did not sign': async ({ place, keys }) => {
    const other = { ...keys, root: [await createKey()] };
    return over(place, [
      ['2.root.json', await signFile(rootOf(other, { version: 2, now: NOW }), keys.root)],
    ]);
  },
  'a root that leaves a version out': async ({ place, keys }) =>
    over(place, [
      ['2.root.json', await signFile(rootOf(keys, { version: 3, now: NOW }), keys.root)],
    ]),
  'a root that is older': async ({ place, keys }) =>
    over(place, [
      ['2.root.json', await signFile(rootOf(keys, { version: 1, now: NOW }), keys.root)],
    ]),
  'an expired root': async ({ place, keys }) =>
    over(place, [
      ['2.root.json', await signFile(rootOf(keys, { version: 2, now: EXPIRED }), keys.root)],
    ]),
  'one signature where two are demanded': async ({ place, keys }) => {
    const two = { ...keys, timestamp: [...keys.timestamp, await createKey()] };
    return over(place, [
      [
        '2.root.json',
        await signFile(rootOf(two, { version: 2, now: NOW }, { timestamp: 2 }), keys.root),
      ],
      ...(await forged(keys, {
        targets: { version: 4 },
        snapshot: { version: 4 },
        timestamp: { version: 4 },
      })),
    ]);
  },
  'one signature twice': async ({ place, keys }) => {
    const two = { ...keys, timestamp: [...keys.timestamp, ...keys.timestamp] };
    return over(
      place,
      await forged(two, {
        targets: { version: 4 },
        snapshot: { version: 4 },
        timestamp: { version: 4 },
      }),
    );
  },
};

describe.each(Object.entries(ATTACKS))('%s', (_, attack) => {
  it('is refused by both', async () => {
    const { keys, root } = publisher;
    const place = publisher.place.copy();
    for (let version = 2; version <= 3; version++) await publish(place, { keys, now: NOW });
    const ours = deviceOf(root);
    const theirs = tufDevice(root, testFolder());
    await ours.refresh(place);
    await theirs.refresh(place);
    const saved = ours.state;
    const attacked = await attack({ place, keys });
    await expect(ours.refresh(attacked)).rejects.toMatchObject({
      code: expect.stringMatching(/^EDGE_(UNTRUSTED|EXPIRED)$/),
    });
    await expect(theirs.refresh(attacked)).rejects.toThrow(Error);
    // An accepted root stays accepted, and may end earlier files; no other new file is stored.
    for (const role of ['timestamp', 'snapshot', 'targets'] as const) {
      const stored = ours.state![role];
      expect(stored === undefined || stored === saved![role], role).toBe(true);
    }
  });
});

describe('fast-forward', () => {
  it('ends for both when the publisher replaces the keys that were stolen', async () => {
    const { keys, root } = publisher;
    const place = publisher.place.copy();
    const ours = deviceOf(root);
    const theirs = tufDevice(root, testFolder());
    const far = 1_000_000;
    const ahead = over(
      place,
      await forged(keys, {
        targets: { version: 2 },
        snapshot: { version: far },
        timestamp: { version: far },
      }),
    );
    await ours.refresh(ahead);
    await theirs.refresh(ahead);
    await publish(place, { keys, now: NOW });
    await expect(ours.refresh(place)).rejects.toMatchObject({ code: 'EDGE_UNTRUSTED' });
    await expect(theirs.refresh(place)).rejects.toThrow(Error);
    const after = { ...keys, snapshot: [await createKey()], timestamp: [await createKey()] };
    await rotateRoot(place, { before: keys, after, now: NOW });
    await publish(place, { keys: after, now: NOW });
    await expect(ours.refresh(place)).resolves.toMatchObject({
      versions: { root: 2, timestamp: 3 },
    });
    await theirs.refresh(place);
  });

  it('does not end while the stolen keys count', async () => {
    const { keys, root } = publisher;
    const place = publisher.place.copy();
    const ours = deviceOf(root);
    await ours.refresh(over(place, await forged(keys, { timestamp: { version: 50 } })));
    const after = { ...keys, root: [await createKey()] };
    await rotateRoot(place, { before: keys, after, now: NOW });
    await expect(ours.refresh(place)).rejects.toThrow('goes back from version 50 to 1');
  });
});
