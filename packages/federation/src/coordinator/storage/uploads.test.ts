import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { openFileArtifacts } from '@skein/state';
import { sha256 } from '@skein/api/canonical';
import { fileChunks } from './uploads.ts';

const MOST = 1000;

async function open() {
  const root = testFolder();
  const artifacts = await openFileArtifacts(join(root, 'artifacts'));
  const folder = join(root, 'site');
  const onDisk = (): number =>
    readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  return { chunks: () => fileChunks(folder, artifacts, () => MOST), onDisk };
}

it('continues a payload over the next connection', async () => {
  const { chunks } = await open();
  const bytes = new Uint8Array(800).fill(7);
  const digest = await sha256(bytes);
  const first = chunks();
  expect(await first.held(digest, 800)).toBe(0);
  await first.append(digest, 0, bytes.slice(0, 500));
  const second = chunks();
  expect(await second.held(digest, 800)).toBe(500);
  await second.append(digest, 500, bytes.slice(500));
  expect(await (await second.finish(digest, 800)).read()).toEqual(bytes);
});

it('keeps no more of a site than one payload may have, however many it begins', async () => {
  const { chunks, onDisk } = await open();
  const site = chunks();
  for (let i = 0; i < 20; i++) {
    const digest = `${i}`.padStart(64, '0');
    await site.held(digest, 900);
    await site.append(digest, 0, new Uint8Array(600));
    expect(onDisk()).toBeLessThanOrEqual(MOST);
  }
  // Bytes of earlier connections count too, and only announced payloads arrive.
  const next = chunks();
  await next.held('f'.repeat(64), 900);
  expect(onDisk()).toBe(0);
  const misplaced = expect.objectContaining({ code: 'ANSWER_INVALID' });
  await expect(next.append('0'.repeat(64), 0, new Uint8Array(1))).rejects.toEqual(misplaced);
  await expect(next.append('f'.repeat(64), 0, new Uint8Array(901))).rejects.toEqual(misplaced);
});
