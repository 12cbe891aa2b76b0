/** `skein state`, in processes of its own: from a folder whose node runs, into another folder, into a fleet. */
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import {
  openDataFolder,
  openFileArtifacts,
  openState,
  type DataFolder,
  type State,
} from '@skein/state';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { startRedis } from '../../../../jobs/src/store/testing/redis-server.ts';
import { contentsOf, fillState } from '../../../../state/src/transfer/testing/full-state.ts';
import { startCli, type CliOutcome } from '../../testing/cli.ts';

const redis = requireComponent('redis');

let cwd: string;
let folder: DataFolder;
let state: State;
/** A node runs: its folder is locked and its database is open. */
beforeEach(async () => {
  cwd = testFolder();
  folder = await openDataFolder(join(cwd, '.skein'));
  state = await openState(folder.databasePath);
  await fillState(state, await openFileArtifacts(folder.artifactsPath));
});
afterEach(async () => {
  await state.close();
  await folder.close();
});
const skein = (...args: string[]): Promise<CliOutcome> => skeinIn({}, ...args);
const skeinIn = (env: Readonly<Record<string, string>>, ...args: string[]): Promise<CliOutcome> =>
  startCli(['state', ...args], { cwd, env }).ended;

async function contentsAt(address: string): Promise<unknown> {
  const other = await openState(address);
  try {
    return await contentsOf(other);
  } finally {
    await other.close();
  }
}

it('exports the state of a running node at one moment, and imports it into another folder', async () => {
  const stop = new AbortController();
  const busy = (async () => {
    while (!stop.signal.aborted) {
      const [ocr] = await state.deployments();
      const { revision } = await state.putDeployment(ocr!, ocr!.revision);
      const entry = { deployment: 'ocr', kind: 'scaled', details: {}, actor: 'skein' } as const;
      await state.addHistory({ ...entry, reason: String(revision) });
    }
  })();
  const exported = await skein('export', 'backup', '--json');
  stop.abort();
  await busy;
  expect(exported.stderr).toContain('Artifact 3 of 3');
  expect([exported.code, JSON.parse(exported.stdout)]).toMatchObject([
    0,
    { counts: { version: 3, deployment: 2, key: 2, run: 2 }, artifacts: 3, artifactBytes: 3000 },
  ]);

  const { code, stdout } = await skein('import', 'backup', '--data', 'new');
  expect([code, stdout]).toEqual([0, expect.stringContaining('3 versions, 2 deployments, 2 keys')]);
  const moved = await openState(join(cwd, 'new', 'state.sqlite'));
  const [ocr] = await moved.deployments();
  // Each revision was followed by its entry.
  const [newest] = await moved.history({ deployment: 'ocr', limit: 1 });
  expect([0, 1]).toContain(ocr!.revision - Number(newest?.reason ?? 1));
  await moved.close();

  const again = await skein('import', 'backup', '--data', 'new');
  expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('IMPORT_CONFLICT')]);
  const merged = await skein('import', 'backup', '--data', 'new', '--merge', '--json');
  expect(JSON.parse(merged.stdout)).toMatchObject({
    added: { version: 0, history: 0 },
    artifacts: 0,
  });
});

it('refuses a folder whose node runs, one that is no export, and half a fleet', async () => {
  const outcomes = await Promise.all([
    skein('import', '.'),
    skein('import', 'nothing'),
    skein('export', '.'),
    skein('export', 'x', '--data', 'nothing'),
    skein('move'),
    skein('move', '--redis', 'redis://x'),
    skein('export', 'x', '--data', '.skein', '--redis', 'redis://x', '--blobs', 'y'),
  ]);
  const expected = [
    'EXPORT_INVALID',
    'EXPORT_INVALID',
    'EXPORT_INVALID',
    'There is no state in',
    '--redis URL and --blobs PLACE',
    '--redis URL and --blobs PLACE',
    'exclude each other',
  ];
  expect(outcomes.map(({ stderr }, index) => stderr.includes(expected[index]!) || stderr)).toEqual(
    expected.map(() => true),
  );
  expect((await skein('export', 'backup')).code).toBe(0);
  const locked = await skein('import', 'backup');
  expect([locked.code, locked.stderr]).toEqual([1, expect.stringContaining('DATA_FOLDER_LOCKED')]);
});

it.skipIf(redis.skip)(`moves into a fleet without loss, and back ${redis.reason}`, async () => {
  const server = await startRedis();
  try {
    const fleet = ['--redis', server.url, '--blobs', 'blobs'];
    const moved = await skein('move', ...fleet, '--json');
    expect([moved.code, JSON.parse(moved.stdout)]).toMatchObject([0, { same: 0, artifacts: 3 }]);
    const contents = await contentsOf(state);
    expect(await contentsAt(server.url)).toEqual(contents);
    expect((await skein('export', 'of-fleet', ...fleet)).code).toBe(0);
    expect((await skein('import', 'of-fleet', '--data', 'back')).code).toBe(0);
    expect(await contentsAt(join(cwd, 'back', 'state.sqlite'))).toEqual(contents);

    // The variables of the fleet's nodes name it too; the data folder has changed meanwhile.
    await state.addHistory({
      deployment: 'ocr',
      kind: 'scaled',
      details: {},
      actor: 'skein',
      reason: 'only in the folder',
    });
    const env = { SKEIN_REDIS: server.url, SKEIN_BLOBS: 'blobs' };
    expect((await skeinIn(env, 'export', 'by-environment')).code).toBe(0);
    expect((await skein('import', 'by-environment', '--data', 'again')).code).toBe(0);
    expect(await contentsAt(join(cwd, 'again', 'state.sqlite'))).toEqual(contents);
    const folder = await skeinIn(env, 'move', '--merge', '--json');
    expect([folder.code, JSON.parse(folder.stdout)]).toMatchObject([0, { added: { history: 1 } }]);
    expect(await contentsAt(server.url)).toEqual(await contentsOf(state));
  } finally {
    await server.destroy();
  }
});
