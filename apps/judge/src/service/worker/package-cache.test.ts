import { createHash } from 'node:crypto';
import { createWriteStream, readdirSync, readFileSync, symlinkSync, utimesSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { loadProblem } from '../../package/load-problem.ts';
import { packageFolder } from '../../testing/package-folder.ts';
import { packProblem } from '../problems/pack.ts';
import { cachedProblem, removeUnusedPackages } from './package-cache.ts';

let folder: string;
beforeEach(() => {
  folder = testFolder();
});

async function packed(at: string): Promise<{ path: string; digest: string }> {
  const path = join(folder, `${Math.random()}`);
  await pipeline(await packProblem(at), createWriteStream(path));
  return { path, digest: createHash('sha256').update(readFileSync(path)).digest('hex') };
}

describe('a problem package on its way to a worker', () => {
  it('gives the same bytes at every packing, and different bytes when a file changes', async () => {
    const at = packageFolder({});
    const first = await packed(at);
    utimesSync(join(at, 'problem.yaml'), new Date(1e12), new Date(1e12));
    expect((await packed(at)).digest).toBe(first.digest);
    const other = packageFolder({ 'data/secret/1.ans': '3\n' });
    expect((await packed(other)).digest).not.toBe(first.digest);
  });

  it('arrives as it was: programs executable, links as copies, under its own name', async () => {
    const at = packageFolder({ 'output_validator/run': '#!/bin/sh\nexit 42\n' });
    symlinkSync('1.in', join(at, 'data/secret/3.in'));
    symlinkSync('1.ans', join(at, 'data/secret/3.ans'));
    const { path, digest } = await packed(at);
    const cache = join(folder, 'cache');
    const given = { digest, shortName: basename(at) };
    const { folder: _here, ...problem } = await cachedProblem(cache, given, async () => path);
    const { folder: _there, ...expected } = await loadProblem(at);
    expect(problem).toEqual(expected);
    expect(problem.outputValidator?.files[0]?.executable).toBe(true);
  });

  it('is unpacked once by attempts that start at once, and seen whole by each', async () => {
    const at = packageFolder({});
    const { path, digest } = await packed(at);
    const cache = join(folder, 'cache');
    const given = { digest, shortName: 'echo' };
    const problems = await Promise.all(
      Array.from({ length: 8 }, () => cachedProblem(cache, given, async () => path)),
    );
    expect(new Set(problems.map((one) => one.folder))).toEqual(
      new Set([join(cache, digest, 'echo')]),
    );
    expect(readdirSync(cache)).toEqual([digest]);
    // From now on the archive is not asked for.
    await cachedProblem(cache, given, () => Promise.reject(new Error('asked again')));
  });

  it('is removed when it has not been used for long', async () => {
    const { path, digest } = await packed(packageFolder({}));
    const cache = join(folder, 'cache');
    await cachedProblem(cache, { digest, shortName: 'echo' }, async () => path);
    await removeUnusedPackages(cache, Date.now() + 86_400_000);
    expect(readdirSync(cache)).toEqual([digest]);
    await removeUnusedPackages(cache, Date.now() + 8 * 86_400_000);
    expect(readdirSync(cache)).toEqual([]);
  });

  it('cannot lead out of the cache by its name', async () => {
    const given = { digest: '0'.repeat(64), shortName: '../../etc' };
    await expect(cachedProblem(folder, given, async () => '')).rejects.toThrow('"../../etc"');
  });
});
