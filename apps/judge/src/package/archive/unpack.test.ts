import { createWriteStream, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { ZipFile } from 'yazl';
import { MINIMAL } from '../../testing/package-folder.ts';
import { loadProblem } from '../load-problem.ts';
import { unpackPackage } from './unpack.ts';

function folder(): string {
  const made = testFolder();
  return made;
}

async function archive(
  files: Readonly<Record<string, string>>,
  mode = 0o100644,
  compress = true,
): Promise<string> {
  const zip = new ZipFile();
  for (const [name, content] of Object.entries(files)) {
    zip.addBuffer(Buffer.from(content), name, { mode, compress });
  }
  zip.end();
  const path = join(folder(), 'echo.zip');
  await pipeline(zip.outputStream, createWriteStream(path));
  return path;
}

/** The same archive with a hostile name of the same length. */
function renamed(path: string, from: string, to: string): string {
  const bytes = readFileSync(path).toString('latin1').replaceAll(from, to);
  writeFileSync(path, Buffer.from(bytes, 'latin1'));
  return path;
}

const minimal = Object.fromEntries(
  Object.entries(MINIMAL).map(([name, content]) => [`echo/${name}`, content ?? '']),
);

describe('an archive', () => {
  it('becomes a folder that can be loaded', async () => {
    const problem = await loadProblem(await unpackPackage(await archive(minimal), folder()));
    expect(problem.shortName).toBe('echo');
  });

  it('may hold the files themselves', async () => {
    const flat = Object.fromEntries(Object.entries(MINIMAL).map(([k, v]) => [k, v ?? '']));
    const problem = await loadProblem(await unpackPackage(await archive(flat), folder()));
    expect(problem.shortName).toBe('echo');
  });

  it.each(['../../../x', '/etc/xpwned', String.raw`..\..\..\x`])(
    'cannot write to %s',
    async (name) => {
      const honest = 'a'.repeat(name.length);
      const path = renamed(await archive({ ...minimal, [honest]: 'x' }), honest, name);
      await expect(unpackPackage(path, folder())).rejects.toMatchObject({
        code: 'PROBLEM_INVALID',
      });
    },
  );

  it('with a NUL in a name is refused, and leaves no stream behind that ends the process', async () => {
    const strays: unknown[] = [];
    const listener = (error: unknown) => strays.push(error);
    process.on('uncaughtException', listener);
    onTestFinished(() => void process.off('uncaughtException', listener));
    const path = renamed(await archive({ ...minimal, aaaa: 'x'.repeat(5000) }), 'aaaa', 'a\0aa');
    // The stream of such an entry fails as well: its content has another length than its header declares.
    const bytes = readFileSync(path);
    const entry = bytes.lastIndexOf('a\0aa') - 46;
    bytes.writeUInt32LE(1, entry + 24);
    writeFileSync(path, bytes);
    await expect(unpackPackage(path, folder())).rejects.toMatchObject({ code: 'PROBLEM_INVALID' });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(strays).toEqual([]);
  });

  it('whose directory lies beyond every file is refused, and ends no process', async () => {
    const path = await archive(minimal);
    const bytes = readFileSync(path);
    // The end of the archive, moved behind a locator that points to 2^62.
    const end = bytes.subarray(bytes.length - 22);
    end.writeUInt32LE(0xffffffff, 16);
    const locator = Buffer.alloc(20);
    locator.write('PK\x06\x07', 'latin1');
    locator.writeBigUInt64LE(2n ** 62n, 8);
    locator.writeUInt32LE(1, 16);
    writeFileSync(path, Buffer.concat([bytes.subarray(0, bytes.length - 22), locator, end]));
    await expect(unpackPackage(path, folder())).rejects.toMatchObject({ code: 'PROBLEM_INVALID' });
  });

  it('may name its files from the folder that it was made in', async () => {
    const named = Object.fromEntries(
      Object.entries(MINIMAL).map(([name, content]) => [`././${name}`, content ?? '']),
    );
    const honest = Object.fromEntries(
      Object.entries(named).map(([name, content]) => [name.replaceAll('./', 'x/'), content]),
    );
    const path = renamed(await archive(honest), 'x/x/', '././');
    expect((await loadProblem(await unpackPackage(path, folder()))).shortName).toBe('echo');
  });

  it('with a changed byte is refused, where nothing but its sum shows it', async () => {
    const path = await archive(
      { ...minimal, 'echo/data/secret/2.in': 'stored'.repeat(3) },
      0o100644,
      false,
    );
    await expect(
      unpackPackage(renamed(path, 'storedstored', 'stored$tored'), folder()),
    ).rejects.toThrow(/2\.in: it is damaged: its bytes have another CRC-32/);
  });

  it('holds no links', async () => {
    const path = await archive({ 'echo/problem.yaml': '/etc/passwd' }, 0o120777);
    await expect(unpackPackage(path, folder())).rejects.toThrow(/links and special files/);
  });

  it('unpacks to no more than it may', async () => {
    const path = await archive({ 'echo/problem.yaml': '0'.repeat(1_000_000) });
    const bounds = { maxBytes: 100_000, maxFiles: 10 };
    await expect(unpackPackage(path, folder(), bounds)).rejects.toThrow(/more than 100000 bytes/);
  });

  it('holds no more files than it may', async () => {
    const bounds = { maxBytes: 2 ** 20, maxFiles: 3 };
    await expect(unpackPackage(await archive(minimal), folder(), bounds)).rejects.toThrow(
      /3 files/,
    );
  });

  it('has no folders in folders without end', async () => {
    const path = await archive({ ...minimal, [`${'a/'.repeat(1000)}x`]: '' });
    await expect(unpackPackage(path, folder())).rejects.toThrow(/nested more than 16 deep/);
  });

  it('holds one package', async () => {
    const two = await archive({ ...minimal, 'two/problem.yaml': '' });
    const named = join(folder(), 'other.zip');
    renameSync(two, named);
    await expect(unpackPackage(named, folder())).rejects.toThrow(
      /it holds several packages: echo, two/,
    );
    const withExtra = await archive({ ...minimal, '__MACOSX/x': '' });
    renameSync(withExtra, named);
    expect((await loadProblem(await unpackPackage(named, folder()))).shortName).toBe('other');
  });

  it('that is not a zip archive is refused', async () => {
    const path = join(folder(), 'echo.zip');
    writeFileSync(path, 'PK no');
    await expect(unpackPackage(path, folder())).rejects.toThrow(/cannot be read as a zip archive/);
  });
});
