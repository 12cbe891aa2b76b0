/** `skein map` over addresses, on a real node. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startNodeProcess, type NodeProcess } from '../../../../server/src/testing/node-process.ts';
import {
  startFileServer,
  type FileServer,
} from '../../../../state/src/sources/testing/file-server.ts';
import type { MapOutcome } from './map.ts';

const TIMEOUT = 60_000;
const SUM = ['--sql', 'SELECT sum(n) AS n FROM data'];

let node: NodeProcess;
let server: FileServer;
beforeAll(async () => {
  server = await startFileServer();
  node = await startNodeProcess({ jobs: true });
});
afterAll(async () => {
  await node.stop();
  await server[Symbol.asyncDispose]();
});

it('reads a table of a server, and notices that it has changed', { timeout: TIMEOUT }, async () => {
  const given = ['--data', `${server.url}/table.csv`, '--allow-private', ...SUM];
  server.files.set('/table.csv', Buffer.from('n\n1\n2\n'));
  expect(await node.json<MapOutcome>('map', ...given)).toMatchObject({ rows: 'n\n3\n' });
  server.files.set('/table.csv', Buffer.from('n\n1\n4\n'));
  expect(await node.json<MapOutcome>('map', ...given)).toMatchObject({ rows: 'n\n5\n' });
});

it('reads no private address without leave', { timeout: TIMEOUT }, async () => {
  const refused = await node.run('map', '--data', `${server.url}/table.csv`, ...SUM);
  expect(refused).toMatchObject({ code: 1 });
  expect(refused.stderr + refused.stdout).toMatch(/not a public address/);
});

it.each([
  [['--data', 's3://logs/', ...SUM], /write which files of the folder/],
  [['--data', 'https://b.example/a.csv?X-Amz-Signature=s3cr3t', ...SUM], /--token-env/],
  [['--data', 'x=https://me:s3cr3t@b.example/a.csv', ...SUM], /--token-env/],
  [['--data', 'x=s3://logs/a.csv', '--token-env', 'T', ...SUM], /AWS_ACCESS_KEY_ID.*Leave --token/],
  [['--data', 'a.csv', '--token-env', 'T', '--', 'cp', '{in}', '{out}'], /none is given. Leave/],
  [['--data', 's3://logs/a.csv', '--', 'cp', '{in}', '{out}'], /only a statement reads an address/],
])('refuses %j', { timeout: TIMEOUT }, async (words, message) => {
  const refused = await node.run('map', ...words);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(message) });
  expect(refused.stderr).not.toContain('s3cr3t');
});
