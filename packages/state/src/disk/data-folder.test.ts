import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { mountTinyDisk, tinyDisk } from '../testing/tiny-disk.ts';
import { nodeOn, openDataFolder } from './data-folder.ts';
import { openDatabase } from '../sqlite/database.ts';

let parent: string;
let path: string;
const children: ChildProcess[] = [];
beforeEach(async () => {
  parent = testFolder();
  path = join(parent, '.skein');
});
afterEach(async () => {
  for (const child of children.splice(0)) await killed(child);
});

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** Another process that tries to take the folder: prints `mine` and holds it, or prints the error's code. */
async function contender(): Promise<{ child: ChildProcess; output: string }> {
  const script = `
    const { openDataFolder } = await import(${JSON.stringify(join(import.meta.dirname, 'data-folder.ts'))});
    try {
      const folder = await openDataFolder(${JSON.stringify(path)});
      await folder.announce('http://127.0.0.1:4700');
      console.log('mine');
      setInterval(() => {}, 1000);
    } catch (error) { console.log(error.code); }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [output] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { child, output };
}

describe('the data folder', () => {
  it('keeps the .gitignore of a project in whose folder it is', async () => {
    await mkdir(path);
    await writeFile(join(path, '.gitignore'), 'node_modules/\n');
    await (await openDataFolder(path)).close();
    expect(await readFile(join(path, '.gitignore'), 'utf8')).toBe('node_modules/\n');
  });

  it('has a path: an empty one is not the working directory', async () => {
    await expect(openDataFolder('')).rejects.toMatchObject({ code: 'DATA_FOLDER_UNUSABLE' });
  });

  it('is created with its layout, ignored by Git, and released', async () => {
    const folder = await openDataFolder(path);
    expect(folder.databasePath).toBe(join(path, 'state.sqlite'));
    const layout = ['.gitignore', 'artifacts', 'lock', 'node.json', 'reserve'];
    expect((await readdir(path)).sort()).toEqual(layout);
    expect(await readFile(join(path, '.gitignore'), 'utf8')).toBe('*\n');
    expect(await nodeOn(path)).toEqual({ pid: process.pid });
    await folder.announce('http://127.0.0.1:1');
    expect(await nodeOn(path)).toEqual({ pid: process.pid, url: 'http://127.0.0.1:1' });
    await folder.close();
    await folder.close();
    expect(await nodeOn(path)).toBeUndefined();
    await (await openDataFolder(path)).close();
  });

  it('is for its owner alone, also where the umask or an older version left it open', async () => {
    const before = process.umask(0);
    try {
      await mkdir(join(path, 'blobs'), { recursive: true, mode: 0o777 });
      await writeFile(join(path, 'jobs.db'), '', { mode: 0o666 });
      const folder = await openDataFolder(path);
      openDatabase(folder.databasePath).close();
      const database = openDatabase(join(path, 'jobs.db'));
      database.write('crash', () => undefined);
      const modes = await Promise.all(
        ['.', ...(await readdir(path))].map(async (name) => {
          const { mode } = await stat(join(path, name));
          return [name, (mode & 0o777).toString(8)];
        }),
      );
      database.close();
      await folder.close();
      const folders = new Set(['.', 'artifacts', 'blobs']);
      expect(modes).toEqual(modes.map(([name]) => [name, folders.has(name!) ? '700' : '600']));
      expect(modes.map(([name]) => name)).toContain('jobs.db-wal');
    } finally {
      process.umask(before);
    }
  });

  it('leaves a script of its user executable', async () => {
    await mkdir(path, { recursive: true });
    await writeFile(join(path, 'deploy.sh'), '#!/bin/sh\n', { mode: 0o755 });
    await (await openDataFolder(path)).close();
    expect((await stat(join(path, 'deploy.sh'))).mode & 0o777).toBe(0o700);
  });

  it('is refused to a second node, with the pid and URL of the first', async () => {
    const { child, output } = await contender();
    expect(output).toBe('mine');
    await expect(openDataFolder(path)).rejects.toMatchObject({
      code: 'DATA_FOLDER_LOCKED',
      message: `The data folder ${path} is in use by the node with pid ${child.pid}, which answers at http://127.0.0.1:4700.`,
    });
  });

  it('is refused within the same process too', async () => {
    const folder = await openDataFolder(path);
    await expect(openDataFolder(path)).rejects.toMatchObject({ code: 'DATA_FOLDER_LOCKED' });
    expect((await contender()).output).toBe('DATA_FOLDER_LOCKED');
    await folder.close();
  });

  it('is free again after kill -9, whatever node.json contains', async () => {
    const { child } = await contender();
    await killed(child);
    expect(await readFile(join(path, 'node.json'), 'utf8')).toContain(String(child.pid));
    const folder = await openDataFolder(path);
    expect(await nodeOn(path)).toEqual({ pid: process.pid });
    await folder.close();
  });

  it('is taken by exactly one of several nodes that start at once', async () => {
    const all = await Promise.all(Array.from({ length: 4 }, contender));
    expect(all.map(({ output }) => output).sort()).toEqual([
      'DATA_FOLDER_LOCKED',
      'DATA_FOLDER_LOCKED',
      'DATA_FOLDER_LOCKED',
      'mine',
    ]);
  });

  it('tolerates a damaged node.json', async () => {
    await (await openDataFolder(path)).close();
    await writeFile(join(path, 'node.json'), '{"pid":');
    expect(await nodeOn(path)).toBeUndefined();
    await (await openDataFolder(path)).close();
  });

  it('reports that it cannot be created', async () => {
    await writeFile(path, 'a file in its place');
    await expect(openDataFolder(path)).rejects.toMatchObject({ code: 'DATA_FOLDER_UNUSABLE' });
  });
});

describe.skipIf(tinyDisk.skip)(`a data folder on a bad disk ${tinyDisk.reason}`, () => {
  it('reports a read-only disk', async () => {
    using disk = mountTinyDisk('ro');
    await expect(openDataFolder(join(disk.folder, '.skein'))).rejects.toMatchObject({
      code: 'DATA_FOLDER_UNUSABLE',
    });
  });

  it('reports a full disk and releases the lock', async () => {
    using disk = mountTinyDisk('size=64k');
    await writeFile(join(disk.folder, 'ballast'), Buffer.alloc(64 * 1024));
    const full = join(disk.folder, '.skein');
    await expect(openDataFolder(full)).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    await rm(join(disk.folder, 'ballast'));
    await (await openDataFolder(full)).close();
  });
});
