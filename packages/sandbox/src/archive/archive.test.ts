import { Buffer } from 'node:buffer';
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { ArchiveError, readArchive } from './read.ts';
import { archiveOf, type FileToPut } from './write.ts';

interface Read {
  readonly name: string;
  readonly type: string;
  readonly content: string;
}

/** Reads an archive that comes in pieces of the given size. */
async function read(bytes: Uint8Array, piece = 700): Promise<Read[]> {
  const entries: Read[] = [];
  for await (const { name, type, content } of readArchive(pieces(bytes, piece))) {
    const parts: Uint8Array[] = [];
    for await (const part of content) parts.push(part);
    entries.push({ name: latin1(name), type, content: latin1(Buffer.concat(parts)) });
  }
  return entries;
}

async function* pieces(bytes: Uint8Array, piece: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += piece) {
    await Promise.resolve();
    yield bytes.subarray(at, at + piece);
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

/** The archive that GNU tar makes of files, some with long names and odd sizes. */
function archiveByTar(): Buffer {
  const folder = testFolder();
  const script = `mkdir d; printf abc > d/a; head -c 1500 /dev/zero > d/b; : > d/empty; ln -s a d/link; mkfifo d/fifo
    n=$(printf 'n%.0s' $(seq 200)); mkdir d/$n; printf long > d/$n/$n; ln -s $n$n d/longlink
    tar --create --file=- --format=gnu --sort=name d`;
  const made = spawnSync('sh', ['-c', script], { cwd: folder });
  return made.stdout;
}

const path = fc
  .array(
    fc.string({
      unit: fc.constantFrom('a', 'B', '-', ' ', '\n', 'ü', '\\'),
      minLength: 1,
      maxLength: 60,
    }),
    { minLength: 1, maxLength: 5 },
  )
  .map((segments) =>
    segments
      .map((segment, depth) => `${depth === segments.length - 1 ? 'file' : 'folder'} ${segment}`)
      .join('/'),
  );
const files = fc.uniqueArray(
  fc.record({ path, content: fc.uint8Array({ maxLength: 1200 }), executable: fc.boolean() }),
  { selector: (file) => file.path, maxLength: 6 },
);

describe('an archive that is written', () => {
  test('can be read by GNU tar', () => {
    fc.assert(
      fc.property(files, (put: FileToPut[]) => {
        const folder = testFolder();
        try {
          const tar = spawnSync('tar', ['--extract', '--file=-', '--preserve-permissions'], {
            cwd: folder,
            input: archiveOf(put),
          });
          expect(tar.stderr.toString()).toBe('');
          for (const { path: name, content, executable } of put) {
            expect(Buffer.from(content).equals(readFileSync(join(folder, name)))).toBe(true);
            expect(statSync(join(folder, name)).mode & 0o777).toBe(
              executable === true ? 0o755 : 0o644,
            );
          }
        } finally {
        }
      }),
      { numRuns: 30 },
    );
  });

  test('holds no path that leaves the folder', () => {
    for (const bad of ['', '/a', '../a', 'a/../b', 'a/', './a', 'a\0b']) {
      expect(() => archiveOf([{ path: bad, content: new Uint8Array() }]), bad).toThrow(
        /not a path inside/,
      );
    }
  });
});

describe('an archive that is read', () => {
  const whole = archiveByTar();

  test.each([1, 511, 512, 513, 100_000])(
    'is what GNU tar wrote, in pieces of %d bytes',
    async (piece) => {
      const long = 'n'.repeat(200);
      const entries = await read(whole, piece);
      expect(entries.map(({ name, type }) => [name, type])).toEqual([
        ['d/', '5'],
        ['d/a', '0'],
        ['d/b', '0'],
        ['d/empty', '0'],
        ['d/fifo', '6'],
        ['d/link', '2'],
        ['d/longlink', '2'],
        [`d/${long}/`, '5'],
        [`d/${long}/${long}`, '0'],
      ]);
      expect(entries.map(({ content }) => content)).toEqual([
        '',
        'abc',
        '\0'.repeat(1500),
        '',
        '',
        '',
        '',
        '',
        'long',
      ]);
    },
  );

  test('is an error wherever it is cut off', async () => {
    const end = whole.lastIndexOf(Buffer.from('long')) + 512;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: end - 4 }), async (length) => {
        await expect(read(whole.subarray(0, length))).rejects.toThrow(ArchiveError);
      }),
      { numRuns: 60 },
    );
  });

  test('is an ArchiveError, or contents of the right size, whatever byte is flipped', async () => {
    const change = fc.record({ at: fc.nat(whole.length - 1), byte: fc.nat(255) });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), async (changes) => {
        const changed = Buffer.from(whole);
        for (const { at, byte } of changes) changed[at] = byte;
        expect(await readOrRefuse(changed)).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  test('is an ArchiveError, whatever the fields of a header with a valid sum hold', async () => {
    const field = fc.record({
      at: fc.constantFrom(0, 100, 124, 136, 156, 157, 257, 345),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(field, { maxLength: 4 }),
        fc.uint8Array({ maxLength: 2000 }),
        async (fields, rest) => {
          const block = Buffer.from(whole.subarray(0, 512));
          for (const { at, bytes } of fields) block.set(bytes, at);
          block.fill(' ', 148, 156);
          const sum = block.reduce((total, byte) => total + byte, 0);
          block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
          expect(await readOrRefuse(Buffer.concat([block, rest]))).toBe(true);
        },
      ),
      { numRuns: 400 },
    );
  });

  test('is refused when it names a size that no file has', async () => {
    const block = Buffer.from(whole.subarray(0, 512));
    block.write('0', 156, 'latin1');
    block[124] = 0x80;
    block.fill(0xff, 125, 136);
    block.fill(' ', 148, 156);
    block.write(
      `${block
        .reduce((total, byte) => total + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
      'latin1',
    );
    await expect(read(block)).rejects.toThrow(/beyond any file/);
  });

  test('is read on after a consumer that stops early', async () => {
    const names: string[] = [];
    for await (const { name, content, sizeBytes } of readArchive(pieces(whole, 100))) {
      names.push(latin1(name));
      if (sizeBytes > 100) for await (const _ of content) break;
    }
    expect(names).toHaveLength(9);
  });
});

/** Whether the reader returns contents, or refuses the archive with its own error. */
async function readOrRefuse(bytes: Uint8Array): Promise<boolean> {
  try {
    const entries = await read(bytes);
    return entries.every(
      ({ type, content }) => content.length <= (type === '0' ? bytes.length : 0),
    );
  } catch (error) {
    return error instanceof ArchiveError;
  }
}
