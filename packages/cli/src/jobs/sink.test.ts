/** Results in a folder and in a bucket, where a later result breaks off. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import type { Client } from '@skein/api/client';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import {
  MOTO_CREDENTIALS,
  MOTO_HEADERS,
  startMotoServer,
  type MotoServer,
} from '../../../state/src/artifacts/testing/moto-server.ts';
import type { Context } from '../command-line/command.ts';
import { writeResult } from './sink.ts';

const moto = requireComponent('python3-moto');
let server: MotoServer | undefined;
beforeAll(async () => {
  if (!moto.skip) server = await startMotoServer();
}, 60_000);
afterAll(() => server?.[Symbol.asyncDispose]());

const folder = testFolder();
const notes = { progress: () => undefined, clear: () => undefined };
const context = { cwd: folder, notes, signal: new AbortController().signal } as unknown as Context;
const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A node with a result of these shards; it lacks those without a text. */
function nodeWith(shards: Readonly<Record<string, string | undefined>>): [Client, string] {
  const stored = new Map<string, string>();
  const pieces = Object.entries(shards).map(([place, text]) => {
    const digest = digestOf(text ?? place);
    if (text !== undefined) stored.set(digest, text);
    return { digest, sizeBytes: 1, ...(place.includes('=') ? { folder: place } : {}) };
  });
  const manifest = JSON.stringify({ format: 'csv', shards: pieces });
  stored.set(digestOf(manifest), manifest);
  const client = {
    async downloadArtifact({ digest }: { digest: string }) {
      const text = stored.get(digest);
      if (text === undefined) throw new Error('the node has ended');
      return new Blob([text]).stream();
    },
  };
  return [client as unknown as Client, digestOf(manifest)];
}

interface Place {
  readonly out: string;
  readonly files: () => Promise<Record<string, string>>;
  readonly put: (name: string, text: string) => Promise<void>;
}
function folderPlace(): Place {
  const at = join(folder, 'out');
  return {
    out: 'out',
    async files() {
      const entries = readdirSync(at, { recursive: true, withFileTypes: true });
      const names = entries
        .filter((each) => each.isFile())
        .map((each) => join(each.parentPath, each.name));
      return Object.fromEntries(
        names.map((name) => [name.slice(at.length + 1), readFileSync(name, 'utf8')]),
      );
    },
    async put(name, text) {
      mkdirSync(at, { recursive: true });
      writeFileSync(join(at, name), text);
    },
  };
}
async function bucketPlace(): Promise<Place> {
  for (const [name, value] of Object.entries(MOTO_CREDENTIALS)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  const { endpoint } = server!;
  await server!.bucket('results');
  const get = (key: string) => fetch(`${endpoint}/results${key}`, { headers: MOTO_HEADERS });
  return {
    out: `s3://results/totals?endpoint=${endpoint}`,
    async files() {
      const list = await (await get('?list-type=2&prefix=totals/')).text();
      const keys = [...list.matchAll(/<Key>totals\/([^<]*)<\/Key>/g)].map(([, key = '']) => key);
      const texts = keys.map(async (key) => [
        key,
        await (await get(`/totals/${encodeURI(key)}`)).text(),
      ]);
      return Object.fromEntries(await Promise.all(texts)) as Record<string, string>;
    },
    async put(name, text) {
      const put = { method: 'PUT', headers: MOTO_HEADERS, body: text };
      await fetch(`${endpoint}/results/totals/${name}`, put);
    },
  };
}

it.each([
  ['a folder', folderPlace, false],
  ['a bucket', bucketPlace, moto.skip],
] as const)('in %s: an earlier result stays until the next is whole', async (_, open, skip) => {
  if (skip) return;
  const place = await open();
  await place.put('part-of-mine.csv', 'mine');
  const names = (files: Record<string, string>) => Object.keys(files).sort();
  const write = async ([client, manifest]: [Client, string]) =>
    writeResult(context, client, manifest, place.out);

  const [list = '', ...parts] = await write(nodeWith({ 'k=..%2Fx': 'a', 'k=2': 'b' }));
  expect(list).toMatch(/[/]data-set.json$/);
  expect(parts).toHaveLength(2);
  const first = await place.files();
  const shape = (name: string): string => name.replace(/[0-9a-f]{8}/, 'HASH');
  expect(names(first).map(shape)).toEqual([
    'data-set.json',
    'k=..%2Fx/part-00000-HASH.csv',
    'k=2/part-00001-HASH.csv',
    'part-of-mine.csv',
  ]);
  await expect(write(nodeWith({ 0: 'c', 1: undefined }))).rejects.toThrow(/has ended/);
  expect(await place.files()).toEqual(first);

  await write(nodeWith({ 0: 'c', 1: 'd' }));
  const second = await place.files();
  expect(names(second).map(shape)).toEqual([
    'data-set.json',
    'part-00000-HASH.csv',
    'part-00001-HASH.csv',
    'part-of-mine.csv',
  ]);
  const { shards } = JSON.parse(second['data-set.json']!) as { shards: { file: string }[] };
  expect(shards.map(({ file }) => second[file])).toEqual(['c', 'd']);
});

it('refuses a result that leads out of its folder', async () => {
  const [client, manifest] = nodeWith({ '../k=2': 'a' });
  await expect(writeResult(context, client, manifest, 'out')).rejects.toThrow(/folder/);
});
