import { once } from 'node:events';
import { chmod, open, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { beforeEach, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { mountTinyDisk, tinyDisk } from '../testing/tiny-disk.ts';
import { openDatabase } from './database.ts';
import { MIGRATIONS } from './migrations.ts';
import { openSqliteState } from './sqlite-state.ts';

/** Threads that open each of so many files at once. */
const [OPENERS, FILES] = [3, 30];

let folder: string;
let path: string;
beforeEach(async () => {
  folder = testFolder();
  path = join(folder, 'state.sqlite');
});

const audit = { actor: 'a', action: 'b', subject: 'c', outcome: 'ok', remote: 'x'.repeat(500) };

describe('the database file', () => {
  it('uses a write-ahead log and syncs before it acknowledges a write that must survive a power cut', () => {
    const database = openDatabase(path);
    const pragma = (name: string) => Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {});
    expect(pragma('journal_mode')).toEqual(['wal']);
    expect(database.write('power-cut', () => pragma('synchronous'))).toEqual([2]);
    expect(database.write('crash', () => pragma('synchronous'))).toEqual([1]);
    expect(database.write('power-cut', () => pragma('synchronous'))).toEqual([2]);
    database.close();
  });

  it('changes nothing when a change throws halfway', () => {
    const database = openDatabase(path);
    const insert = database.prepare("INSERT INTO version_numbers VALUES ('a', 1)");
    expect(() =>
      database.write('crash', () => {
        insert.run();
        throw new RangeError('halfway');
      }),
    ).toThrow('halfway');
    expect(database.prepare('SELECT * FROM version_numbers').all()).toEqual([]);
    database.write('crash', () => insert.run());
    expect(database.prepare('SELECT * FROM version_numbers').all()).toHaveLength(1);
    database.close();
  });

  it('is made once by several that open it at the same time', async () => {
    const source = `(async () => {
      const { workerData } = await import('node:worker_threads');
      const { openDatabase } = await import(workerData.module);
      const arrived = new Int32Array(workerData.arrived);
      for (let file = 0; file < ${FILES}; file++) {
        Atomics.add(arrived, file, 1);
        while (Atomics.load(arrived, file) < ${OPENERS});
        openDatabase(workerData.path + file).close();
      }
    })()`;
    const arrived = new SharedArrayBuffer(4 * FILES);
    const module = new URL('database.ts', import.meta.url).href;
    const ends = Array.from({ length: OPENERS }, () =>
      once(new Worker(source, { eval: true, workerData: { arrived, module, path } }), 'exit'),
    );
    expect(await Promise.all(ends)).toEqual(Array.from({ length: OPENERS }, () => [0]));
  });

  it('refuses a file that is not a database', async () => {
    await writeFile(path, 'this is a text file, not a database, and long enough to be read as one');
    await expect(openSqliteState(path)).rejects.toMatchObject({ code: 'STATE_CORRUPT' });
  });

  it('leaves the mode of a file that is no database of Skein, and restricts the mode of one that is', async () => {
    const modeOf = async (at: string) => (await stat(at)).mode & 0o777;
    await writeFile(path, 'no database');
    await chmod(path, 0o644);
    expect(() => openDatabase(path)).toThrow(expect.objectContaining({ code: 'STATE_CORRUPT' }));
    expect(await modeOf(path)).toBe(0o644);
    await chmod(folder, 0o755);
    expect(() => openDatabase(folder)).toThrow(
      expect.objectContaining({ code: 'DATA_FOLDER_UNUSABLE' }),
    );
    expect(await modeOf(folder)).toBe(0o755);

    const own = join(folder, 'own.sqlite');
    openDatabase(own).close();
    await chmod(own, 0o644);
    const database = openDatabase(own);
    database.write('crash', () => database.prepare('DELETE FROM version_numbers').run());
    for (const part of ['', '-wal', '-shm']) expect(await modeOf(`${own}${part}`)).toBe(0o600);
    database.close();
  });

  it('refuses the database of another program and leaves it alone', async () => {
    const other = new DatabaseSync(path);
    other.exec('CREATE TABLE bookmarks (url TEXT)');
    other.close();
    await expect(openSqliteState(path)).rejects.toMatchObject({
      code: 'STATE_CORRUPT',
      message: expect.stringContaining('another program') as string,
    });
    const again = new DatabaseSync(path);
    expect(again.prepare('SELECT name FROM sqlite_schema').all()).toEqual([{ name: 'bookmarks' }]);
    again.close();
  });

  it('reports an overwritten page as damage', async () => {
    const state = await openSqliteState(path);
    for (let count = 0; count < 200; count += 1) await state.addAudit(audit);
    await state.close();
    const file = await open(path, 'r+');
    const { size } = await file.stat();
    await file.write(Buffer.alloc(size - 4096, 0xa5), 0, size - 4096, 4096);
    await file.close();
    await expect(
      (async () => {
        const damaged = await openSqliteState(path);
        try {
          return await damaged.audit(1000);
        } finally {
          await damaged.close();
        }
      })(),
    ).rejects.toMatchObject({ code: 'STATE_CORRUPT' });
  });

  it('refuses a row whose JSON has been damaged', async () => {
    const state = await openSqliteState(path);
    await state.addHistory({
      deployment: 'a',
      kind: 'deployed',
      reason: '',
      details: {},
      actor: '',
    });
    const other = new DatabaseSync(path);
    other.exec("UPDATE history SET details = '{'");
    other.close();
    await expect(state.history({ limit: 1 })).rejects.toMatchObject({ code: 'STATE_CORRUPT' });
    await state.close();
  });

  it('migrates a file of an older schema, and keeps its rows', () => {
    const older = openDatabase(path);
    older.prepare("INSERT INTO version_numbers VALUES ('a', 7)").run();
    older.close();
    const database = openDatabase(path, [...MIGRATIONS, 'CREATE TABLE later (id INTEGER) STRICT']);
    expect(database.prepare('SELECT * FROM version_numbers').all()).toEqual([
      { model: 'a', last: 7 },
    ]);
    expect(database.prepare('SELECT * FROM later').all()).toEqual([]);
    database.close();
  });

  it('refuses a file that a newer Skein has migrated', async () => {
    const state = await openSqliteState(path);
    await state.close();
    const newer = new DatabaseSync(path);
    newer.exec(`PRAGMA user_version = ${MIGRATIONS.length + 1}`);
    newer.close();
    await expect(openSqliteState(path)).rejects.toMatchObject({ code: 'STATE_TOO_NEW' });
  });

  it('reports a missing folder', async () => {
    await expect(openSqliteState(join(folder, 'no', 'state.sqlite'))).rejects.toMatchObject({
      code: 'DATA_FOLDER_UNUSABLE',
    });
  });
});

describe.skipIf(tinyDisk.skip)(`a full disk ${tinyDisk.reason}`, () => {
  it('refuses the write, keeps acknowledged writes, and continues once there is space', async () => {
    using disk = mountTinyDisk('size=512k');
    const file = join(disk.folder, 'state.sqlite');
    const ballast = join(disk.folder, 'ballast');
    await writeFile(ballast, Buffer.alloc(128 * 1024));
    let state = await openSqliteState(file);
    let acknowledged = 0;
    const fill = async () => {
      for (; acknowledged < 10_000; acknowledged += 1) {
        await state.addAudit({ ...audit, subject: String(acknowledged) });
      }
    };
    await expect(fill()).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    expect(acknowledged).toBeGreaterThan(10);
    await expect(
      state.addVersion({
        model: 'a'.repeat(8000),
        kind: 'onnx',
        digest: '0'.repeat(64),
        sizeBytes: 1,
        signature: { inputs: [], outputs: [] },
        metadata: {},
      }),
    ).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    const subjects = async () =>
      (await state.audit(20_000)).map((entry) => Number(entry.subject)).reverse();
    const expected = Array.from({ length: acknowledged }, (_, index) => index);
    expect(await subjects()).toEqual(expected);
    expect(await state.versions()).toEqual([]);

    await rm(ballast);
    await state.addAudit({ ...audit, subject: String(acknowledged) });
    await state.close();
    state = await openSqliteState(file);
    expect(await subjects()).toEqual([...expected, acknowledged]);
    await state.close();
    expect((await stat(file)).size).toBeGreaterThan(0);
  });

  it('reports a database that cannot be created', async () => {
    using disk = mountTinyDisk('size=16k');
    await expect(openSqliteState(join(disk.folder, 'state.sqlite'))).rejects.toMatchObject({
      code: 'STORAGE_FULL',
    });
  });

  it('reports a read-only folder', async () => {
    using disk = mountTinyDisk('ro');
    await expect(openSqliteState(join(disk.folder, 'state.sqlite'))).rejects.toMatchObject({
      code: 'DATA_FOLDER_UNUSABLE',
    });
  });
});
