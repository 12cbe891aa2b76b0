/** `skein data` over addresses, on a real node. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startNodeProcess, type NodeProcess } from '../../../../server/src/testing/node-process.ts';
import {
  startFileServer,
  type FileServer,
} from '../../../../state/src/sources/testing/file-server.ts';
import type { ShownProfile } from '../../output/profile.ts';
import type { CheckOutcome } from './check.ts';
import type { SplitOutcome } from './split.ts';

const TIMEOUT = 120_000;
const CONTRACT = `apiVersion: v3.1.0
kind: DataContract
id: numbers
version: 1.0.0
status: active
schema:
  - name: numbers
    quality: [{ metric: rowCount, mustBe: 40 }]
    properties: [{ name: n, unique: true }]
`;

let node: NodeProcess;
let server: FileServer;
let folder: string;
let address: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-remote-'));
  server = await startFileServer();
  address = `${server.url}/table.csv?download=1`;
  const rows = Array.from({ length: 40 }, (_, at) => `${at}\n`);
  server.files.set('/table.csv', Buffer.from(['n\n', ...rows].join('')));
  await writeFile(join(folder, 'contract.yaml'), CONTRACT);
  node = await startNodeProcess({ jobs: true });
});
afterAll(async () => {
  await node.stop();
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

it('describes, checks and splits a table of a server', { timeout: TIMEOUT }, async () => {
  const page = join(folder, 'page.html');
  const given = [address, '--allow-private'];
  const profile = await node.json<ShownProfile>('data', 'profile', ...given, '--out', page);
  expect(profile).toMatchObject({ rows: 40, columns: [{ name: 'n', distinct: 40 }] });
  // A query may have a secret that no name shows, and a page is passed on.
  expect(await readFile(page, 'utf8')).not.toContain('download=1');
  const contract = ['--contract', join(folder, 'contract.yaml')];
  const checked = await node.json<CheckOutcome>('data', 'check', ...given, ...contract);
  expect(checked.rules.map(({ passed }) => passed)).toEqual([true, true]);
  const out = ['--out', join(folder, 'parts')];
  const split = await node.json<SplitOutcome>('data', 'split', ...given, ...out);
  expect(split).toMatchObject({ rows: 40, sharedRows: 0 });
  expect(split.train + split.validation + split.test).toBe(40);
});

it('reads the same file in all its statements', { timeout: TIMEOUT }, async () => {
  const [first, later] = [Buffer.from('n\n1\n2\n'), Buffer.from('n\n1\n2\n3\n')];
  const before = server.sentBytes;
  const { files } = server;
  const get = files.get.bind(files);
  files.get = (path) => {
    if (path !== '/moving.csv') return get(path);
    return server.sentBytes < before + first.byteLength ? first : later;
  };
  const given = [`${server.url}/moving.csv`, '--allow-private'];
  const profile = await node.json<ShownProfile>('data', 'profile', ...given);
  expect(profile).toMatchObject({ rows: 2, columns: [{ name: 'n', distinct: 2 }] });
  expect(files.get('/moving.csv')).toBe(later);
});

it.each([
  [[], /not a public address/],
  [['--allow-private', '--token-env', 'NONE'], /names NONE, and this variable is not set/],
])('is refused with %j', { timeout: TIMEOUT }, async (words, message) => {
  const { code, stderr } = await node.run('data', 'profile', address, ...words);
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(message) });
});

it('refuses a signed address, and shows no signature', { timeout: TIMEOUT }, async () => {
  for (const signed of ['https://b.example/a.csv?sig=s3cr3t', 'https://[b/a.csv?sig=s3cr3t']) {
    const { code, stderr } = await node.run('data', 'profile', signed);
    expect(code).toBe(2);
    expect(stderr).not.toContain('s3cr3t');
  }
});
