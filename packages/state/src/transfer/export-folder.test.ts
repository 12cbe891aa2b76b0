/** An export is read back whole, or refused with a code: damaged, cut, or made by an attacker. */
import { createHash } from 'node:crypto';
import {
  cp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { SkeinError } from '@skein/api';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { openFileArtifacts } from '../artifacts/file-artifacts.ts';
import { openSqliteState } from '../sqlite/sqlite-state.ts';
import { readExport, writeExport } from './export-folder.ts';
import { importSnapshot } from './import.ts';
import { snapshotOf } from './snapshot.ts';
import { contentsOf, fillState } from './testing/full-state.ts';

const root = testFolder();
let whole: string;
let contents: unknown;
let files: string[];
let count = 0;
const next = (): string => join(root, String(++count));

beforeAll(async () => {
  const state = await openSqliteState(':memory:');
  const artifacts = await openFileArtifacts(next());
  await fillState(state, artifacts);
  whole = next();
  await writeExport(await snapshotOf(state, artifacts), whole);
  contents = await contentsOf(state);
  await state.close();
  const stored = await readdir(join(whole, 'artifacts'));
  files = ['rows.ndjson', 'manifest.json', ...stored.map((name) => join('artifacts', name))];
});

/** Imports a folder into an empty state. @returns its contents, or the refusal, after which the state is empty. */
async function importFolder(folder: string): Promise<unknown> {
  const state = await openSqliteState(':memory:');
  const place = next();
  const artifacts = await openFileArtifacts(place);
  try {
    await importSnapshot(await readExport(folder), state, artifacts);
    return await contentsOf(state);
  } catch (error) {
    if (!(error instanceof SkeinError)) throw error;
    const left = await contentsOf(state);
    expect(Object.values(left).flat()).toEqual([]);
    expect(await readdir(place)).toEqual([]);
    return error.code;
  } finally {
    await state.close();
  }
}

async function copyOf(change: (folder: string) => Promise<void>): Promise<string> {
  const folder = next();
  await cp(whole, folder, { recursive: true });
  await change(folder);
  return folder;
}

/** Writes rows and a manifest that agree, as an attacker would. */
function forged(change: (rows: string[], manifest: Manifest) => void): Promise<string> {
  return copyOf(async (folder) => {
    const rows = (await readFile(join(folder, 'rows.ndjson'), 'utf8')).trimEnd().split('\n');
    const path = join(folder, 'manifest.json');
    const manifest = JSON.parse(await readFile(path, 'utf8')) as Manifest;
    change(rows, manifest);
    const bytes = Buffer.from(`${rows.join('\n')}\n`);
    manifest.rows.sizeBytes = bytes.byteLength;
    manifest.rows.sha256 = createHash('sha256').update(bytes).digest('hex');
    await writeFile(join(folder, 'rows.ndjson'), bytes);
    await writeFile(path, JSON.stringify(manifest));
  });
}
interface Manifest {
  format: number;
  rows: { sizeBytes: number; sha256: string; counts: Record<string, number> };
  artifacts: { digest: string; sizeBytes: number }[];
}
const edit = (
  rows: string[],
  kind: string,
  change: (record: Record<string, unknown>) => void,
): void => {
  const index = rows.findIndex((line) => line.includes(`"kind":"${kind}"`));
  const row = JSON.parse(rows[index]!) as { record: Record<string, unknown> };
  change(row.record);
  rows[index] = JSON.stringify(row);
};

describe('an export', () => {
  it('is read back whole, and only its owner can read it', async () => {
    expect(await importFolder(whole)).toEqual(contents);
    for (const name of ['rows.ndjson', 'manifest.json']) {
      expect((await stat(join(whole, name))).mode & 0o777).toBe(0o600);
    }
    expect((await stat(whole)).mode & 0o777).toBe(0o700);
    expect((await stat(join(whole, 'artifacts'))).mode & 0o777).toBe(0o700);
  });

  it('is not written into a folder with files', async () => {
    const state = await openSqliteState(':memory:');
    const artifacts = await openFileArtifacts(next());
    const snapshot = await snapshotOf(state, artifacts);
    await expect(writeExport(snapshot, whole)).rejects.toMatchObject({ code: 'EXPORT_INVALID' });
    await state.close();
  });

  it('is refused when a byte anywhere has changed, was cut off or added', async () => {
    const damage = fc.record({
      file: fc.nat(),
      at: fc.nat(),
      how: fc.constantFrom('flip', 'cut', 'add'),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ file, at, how }) => {
        const folder = await copyOf(async (copy) => {
          const path = join(copy, files[file % files.length]!);
          const bytes = await readFile(path);
          const place = at % bytes.byteLength;
          await rm(path);
          if (how === 'flip') bytes[place]! ^= 1 << (at % 8);
          await writeFile(path, how === 'add' ? Buffer.concat([bytes, Buffer.from('x')]) : bytes);
          if (how === 'cut') await truncate(path, place);
        });
        const outcome = await importFolder(folder);
        // The time in the manifest is a note for people.
        if (typeof outcome !== 'string') expect(outcome).toEqual(contents);
        else expect(['EXPORT_INVALID', 'ARTIFACT_CORRUPT']).toContain(outcome);
        if (how !== 'flip') expect(typeof outcome).toBe('string');
      }),
      { numRuns: process.env['SKEIN_FULL'] === '1' ? 2000 : 60 },
    );
  });

  it('is refused without any of its files, or with a link in place of one', async () => {
    for (const name of files) {
      const gone = await copyOf((folder) => rm(join(folder, name)));
      expect(await importFolder(gone)).toBe('EXPORT_INVALID');
      const linked = await copyOf(async (folder) => {
        await rename(join(folder, name), join(folder, 'elsewhere'));
        await symlink(join(folder, 'elsewhere'), join(folder, name));
      });
      expect(await importFolder(linked)).toBe('EXPORT_INVALID');
    }
    expect(await importFolder(join(root, 'never'))).toBe('EXPORT_INVALID');
  });

  it.each<[string, (rows: string[], manifest: Manifest) => void]>([
    ['a newer format', (_, manifest) => (manifest.format = 2)],
    ['a path as a digest', (_, manifest) => (manifest.artifacts[0]!.digest = '../../etc/passwd')],
    ['no artifact of a version', (_, manifest) => manifest.artifacts.pop()],
    ['wrong counts', (_, manifest) => (manifest.rows.counts['key'] = 1)],
    ['a path as a name', (rows) => edit(rows, 'deployment', (each) => (each['name'] = '../x'))],
    ['a path as a model', (rows) => edit(rows, 'version', (each) => (each['model'] = '/etc'))],
    ['a digest that is none', (rows) => edit(rows, 'version', (each) => (each['digest'] = 'xyz'))],
    ['a version 01', (rows) => edit(rows, 'version', (each) => (each['version'] = '01'))],
    ['a negative revision', (rows) => edit(rows, 'deployment', (each) => (each['revision'] = -1))],
    ['unknown scopes', (rows) => edit(rows, 'key', (each) => (each['scopes'] = ['root']))],
    ['a field too many', (rows) => edit(rows, 'key', (each) => (each['extra'] = 1))],
    ['no settings', (rows) => edit(rows, 'deployment', (each) => delete each['settings'])],
    ['an unknown kind', (rows) => (rows[0] = rows[0]!.replace('counter', 'job'))],
    ['a time that is none', (rows) => edit(rows, 'history', (each) => (each['at'] = 'now'))],
    ['a line that is not JSON', (rows) => (rows[1] = 'x'.repeat(100_000))],
    ['a list as a row', (rows) => (rows[1] = '[]')],
  ])('is refused with %s', async (_, change) => {
    expect(await importFolder(await forged(change))).toBe('EXPORT_INVALID');
  });

  it('names the line and the field, and never the value', async () => {
    const folder = await forged((rows) => edit(rows, 'key', (each) => (each['secretHash'] = 42)));
    await expect(readExport(folder)).rejects.toMatchObject({
      message: expect.stringMatching(
        /line 6 of rows\.ndjson has a wrong record\.secretHash/,
      ) as string,
    });
  });
});
