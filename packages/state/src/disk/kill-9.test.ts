/**
 * A process writes as fast as it can and is killed with SIGKILL at random moments, twenty times on
 * one data folder. Every acknowledged write must be present and complete afterwards. A write that
 * was not acknowledged may be present, but not in part.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { openFileArtifacts } from '../artifacts/file-artifacts.ts';
import { openDataFolder } from './data-folder.ts';
import { openSqliteState } from '../sqlite/sqlite-state.ts';

const ROUNDS = 20;

interface Acknowledged {
  readonly digest: string;
  readonly version: string;
  readonly revision: number;
  readonly history: number;
  readonly key: string;
}

/** Writes one record of each kind per iteration; prints a line only when all are acknowledged. */
const writer = (path: string, round: number) => `
  import { writeSync } from 'node:fs';
  import { openFileArtifacts } from '${import.meta.dirname}/../artifacts/file-artifacts.ts';
  import { openDataFolder } from '${import.meta.dirname}/data-folder.ts';
  import { openSqliteState } from '${import.meta.dirname}/../sqlite/sqlite-state.ts';
  const folder = await openDataFolder(${JSON.stringify(path)});
  const state = await openSqliteState(folder.databasePath);
  const artifacts = await openFileArtifacts(folder.artifactsPath);
  let revision = (await state.deployment('d'))?.revision ?? 0;
  async function* chunks(text) { for (let i = 0; i < 20; i += 1) yield Buffer.from(text.repeat(500)); }
  for (let turn = 0; ; turn += 1) {
    const name = '${round}-' + turn;
    const { digest, sizeBytes } = await artifacts.put(chunks(name), 1e9);
    const { version } = await state.addVersion({ model: 'm', kind: 'onnx', digest, sizeBytes,
      signature: { inputs: [], outputs: [] }, metadata: { name } });
    ({ revision } = await state.putDeployment(
      { name: 'd', settings: {}, targets: [{ version, weight: 1 }] }, revision));
    const { id } = await state.addHistory(
      { deployment: 'd-${round}', kind: 'deployed', reason: name, details: {}, actor: 'a' });
    await state.addKey({ id: name, secretHash: 'h', label: '', tenant: 't', scopes: ['infer'], createdAt: '' });
    writeSync(1, JSON.stringify({ digest, version, revision, history: id, key: name }) + '\\n');
  }`;

/** Runs the writer and kills it after so many acknowledgements; the lines on the pipe count. */
async function runAndKill(path: string, round: number, after: number): Promise<Acknowledged[]> {
  const child = spawn(
    process.execPath,
    ['--input-type=module', '--disable-warning=ExperimentalWarning', '-e', writer(path, round)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const lines: string[] = [];
  const reader = createInterface(child.stdout);
  reader.on('line', (line) => {
    lines.push(line);
    if (lines.length === after) child.kill('SIGKILL');
  });
  const [[, signal]] = (await Promise.all([once(child, 'exit'), once(reader, 'close')])) as [
    [number | null, string | null],
    unknown,
  ];
  expect(signal).toBe('SIGKILL');
  // The kill may have cut off the last line.
  return lines.filter((line) => line.endsWith('}')).map((line) => JSON.parse(line) as Acknowledged);
}

it('loses no acknowledged write to kill -9', { timeout: 120_000 }, async () => {
  const parent = testFolder();
  const path = join(parent, '.skein');
  const moments = fc.sample(fc.integer({ min: 1, max: 40 }), { numRuns: ROUNDS, seed: 9 });
  const acknowledged: Acknowledged[][] = [];
  for (const [round, after] of moments.entries()) {
    acknowledged.push(await runAndKill(path, round, after));
  }

  const folder = await openDataFolder(path);
  const state = await openSqliteState(folder.databasePath);
  const artifacts = await openFileArtifacts(folder.artifactsPath);
  const versions = new Map((await state.versions('m')).map((each) => [each.version, each]));
  const keys = new Set((await state.keys()).map((each) => each.id));
  for (const [round, writes] of acknowledged.entries()) {
    expect(writes.length).toBeGreaterThanOrEqual(moments[round] ?? 0);
    const history = await state.history({ deployment: `d-${round}`, limit: 5000 });
    const entries = new Map(history.map((each) => [each.id, each.reason]));
    for (const write of writes) {
      expect(versions.get(write.version)).toMatchObject({
        digest: write.digest,
        metadata: { name: write.key },
      });
      expect(entries.get(write.history)).toBe(write.key);
      expect(keys).toContain(write.key);
      const content = await readFile(await artifacts.pathOf(write.digest), 'utf8');
      expect(content).toBe(write.key.repeat(20 * 500));
    }
  }
  const last = acknowledged.flat().at(-1);
  expect((await state.deployment('d'))?.revision).toBeGreaterThanOrEqual(last?.revision ?? 0);
  // Records beyond the acknowledged ones are complete too.
  for (const { digest } of versions.values()) await artifacts.pathOf(digest);
  for (const name of await readdir(folder.artifactsPath)) await artifacts.pathOf(name);
  expect([...versions.keys()].map(Number)).toEqual(
    Array.from({ length: versions.size }, (_, index) => index + 1),
  );
  await state.close();
  await folder.close();
});
