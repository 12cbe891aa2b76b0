/** A state is taken over whole, between every two backends, and an import names the records that it cannot add. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SkeinError } from '@skein/api';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { openFileArtifacts } from '../artifacts/file-artifacts.ts';
import type { ArtifactStore, State } from '../contract.ts';
import { openSqliteState } from '../sqlite/sqlite-state.ts';
import { code, overEveryState, settings } from '../testing/every-state.ts';
import { importSnapshot } from './import.ts';
import { snapshotOf } from './snapshot.ts';
import { contentsOf, fillState } from './testing/full-state.ts';

let folder: string;
let here: ArtifactStore;
let there: ArtifactStore;
let memory: State;
beforeEach(async () => {
  folder = testFolder();
  here = await openFileArtifacts(join(folder, 'here'));
  there = await openFileArtifacts(join(folder, 'there'));
  memory = await openSqliteState(':memory:');
});
afterEach(() => memory.close());

overEveryState('a transfer', (at) => {
  it('brings everything, and what follows continues there', async () => {
    await fillState(memory, here);
    const before = await at.state.position();
    const imported = await importSnapshot(await snapshotOf(memory, here), at.state, there);
    expect(await contentsOf(at.state)).toEqual(await contentsOf(memory));
    expect((await there.list()).toSorted()).toEqual(
      [...new Set((await memory.versions()).map((each) => each.digest))].toSorted(),
    );
    expect(imported).toMatchObject({
      added: { version: 3, deployment: 2, tombstone: 1, key: 2, history: 3, audit: 3, run: 2 },
      same: 0,
      artifacts: 3,
      artifactBytes: 3000,
    });

    const [version] = await at.state.versions('risk');
    expect((await at.state.addVersion({ ...version!, digest: 'b'.repeat(64) })).version).toBe('4');
    expect((await at.state.addVersion(version!)).version).toBe('1');
    const row = { name: 'risk', settings, targets: [{ version: '1', weight: 1 }] };
    await expect(at.state.putDeployment(row, 2)).rejects.toEqual(code('ROLLOUT_IN_PROGRESS'));
    expect((await at.state.putDeployment(row, 3)).revision).toBe(4);
    expect((await at.state.putDeployment({ ...row, name: 'gone' }, 0)).revision).toBe(3);
    expect(await at.state.revokeKey('k1', '2026-03-01T00:00:00.000Z')).toBe(true);
    expect(await at.state.historyAfter(0, 10)).toHaveLength(3);

    const followed: string[] = [];
    const stop = new AbortController();
    for await (const changes of at.state.changes(before.cursor, stop.signal)) {
      followed.push(...changes.map(({ kind, id }) => `${kind} ${id}`));
      if (followed.includes('deployment gone') && followed.includes('key k1')) stop.abort();
    }
    expect(followed).toEqual(
      expect.arrayContaining(['version risk:1', 'deployment risk', 'deployment ocr', 'run first']),
    );
    expect(followed.indexOf('version ocr:1')).toBeLessThan(followed.indexOf('deployment ocr'));
  });

  it('is taken from here as well, and can be repeated', async () => {
    await fillState(at.state, here);
    const snapshot = await snapshotOf(at.state, here);
    await importSnapshot(snapshot, memory, there);
    const contents = await contentsOf(memory);
    expect(contents).toEqual(await contentsOf(at.state));
    const again = await importSnapshot(snapshot, memory, there, { merge: true });
    expect(Object.values(again.added).every((count) => count === 0)).toBe(true);
    expect([again.same, again.artifacts]).toEqual([19, 0]);
    expect(await contentsOf(memory)).toEqual(contents);
  });

  it('refuses a state that is not empty, unless it is to be merged', async () => {
    await at.state.addAudit({ actor: 'a', action: 'b', subject: 'c', outcome: 'ok', remote: '' });
    await fillState(memory, here);
    const snapshot = await snapshotOf(memory, here);
    await expect(importSnapshot(snapshot, at.state, there)).rejects.toMatchObject({
      code: 'IMPORT_CONFLICT',
      message: expect.stringContaining('entries of history and audit: 1') as string,
    });
    expect(await readdir(join(folder, 'there'))).toEqual([]);
    await importSnapshot(snapshot, at.state, there, { merge: true });
    expect(await at.state.audit(10)).toHaveLength(4);
    expect(await at.state.deployments()).toEqual(await memory.deployments());
  });

  it('names every conflict and changes nothing', async () => {
    await fillState(memory, here);
    await fillState(at.state, there);
    const [contents, files] = [await contentsOf(at.state), await there.list()];
    const snapshot = await snapshotOf(memory, here);
    const refused = importSnapshot(snapshot, at.state, there, { merge: true });
    await expect(refused).rejects.toMatchObject({
      code: 'IMPORT_CONFLICT',
      message: expect.stringMatching(
        /version 1 of "risk" is another model there; .*Nothing was changed/,
      ) as string,
    });
    expect(await contentsOf(at.state)).toEqual(contents);
    expect((await there.list()).toSorted()).toEqual(files.toSorted());
  });

  it('reports how far it came when it fails in between, and continues', async () => {
    await fillState(memory, here);
    const snapshot = await snapshotOf(memory, here);
    let puts = 0;
    const failing: State = {
      ...at.state,
      async putRun(run) {
        puts += 1;
        if (puts === 2) throw new SkeinError('STORAGE_FULL', 'The disk is full.');
        return at.state.putRun(run);
      },
    };
    await expect(importSnapshot(snapshot, failing, there)).rejects.toMatchObject({
      code: 'STORAGE_FULL',
      message: expect.stringMatching(/of 19 records were imported; .*--merge/) as string,
    });
    expect(await at.state.deployments()).toEqual([]);
    await importSnapshot(snapshot, at.state, there, { merge: true });
    expect(await contentsOf(at.state)).toEqual(await contentsOf(memory));
  });
});
