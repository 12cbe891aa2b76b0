/** Untrusted archives and folders: the output of a sandbox, and problem packages. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { SkeinError } from '@skein/api';
import { readMetadata2025 } from '../../../apps/judge/src/package/format/metadata-2025.ts';
import { readMetadataLegacy } from '../../../apps/judge/src/package/format/metadata-legacy.ts';
import { openUnpacker } from '../../../apps/judge/src/package/archive/unpack.ts';
import { ArchiveError, readArchive } from '../../../packages/sandbox/src/archive/read.ts';
import { bytesInput, changedBytes } from '../engine/bytes.ts';
import type { Structure, Target } from '../engine/target.ts';

export const isProblemError = (error: unknown) =>
  error instanceof SkeinError && /^PROBLEM_(INVALID|UNSUPPORTED)$/.test(error.code);

const BLOCK = 512;

/** A stream of GNU tar, as a guest may write it. */
export function openArchives(): Target {
  const files = [
    tarEntry('a', '0', 'abc'),
    tarEntry('d/', '5', ''),
    tarEntry('link', '2', ''),
    tarEntry('././@LongLink', 'L', `${'n'.repeat(300)}\0`),
    tarEntry('n', '0', 'x'.repeat(700)),
    Buffer.alloc(2 * BLOCK),
  ];
  const plain = bytesInput(['ustar  \0', '../', '\0', '77777777777', '\x80\0\0\0\0\0\0\0\x7f']);
  return {
    seeds: [Buffer.concat(files), Buffer.concat([files[0]!, files.at(-1)!])],
    // Most changes would fail at the checksum of the header, which is corrected.
    structure: {
      ...plain,
      mutate: (seeds, random) => {
        const bytes = plain.mutate(seeds, random);
        return random.oneIn(8) ? bytes : withSums(bytes);
      },
    },
    refuses: (error) => error instanceof ArchiveError,
    async run(input) {
      let total = 0;
      for await (const { content, name, sizeBytes } of readArchive(pieces(input))) {
        if (name.length > 4097) throw new Error(`a name of ${name.length} bytes`);
        let size = 0;
        for await (const part of content) size += part.length;
        if (size !== sizeBytes) throw new Error(`${size} bytes, not ${sizeBytes}`);
        total += size;
      }
      if (total > input.length) throw new Error('more was read than was there');
    },
  };
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 700) yield bytes.subarray(at, at + 700);
}

function tarEntry(name: string, type: string, content: string): Buffer {
  const header = Buffer.alloc(BLOCK);
  header.write(name);
  header.write('0000644\0', 100);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write(type, 156);
  header.write('ustar  \0', 257, 'latin1');
  const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK);
  return Buffer.concat([withSums(header), Buffer.from(content), padding]);
}

/** Writes the right checksum into every block that has the mark of a header. */
function withSums(bytes: Uint8Array): Uint8Array {
  const fixed = Buffer.from(bytes);
  for (let at = 0; at + BLOCK <= fixed.length; at += BLOCK) {
    if (fixed.toString('latin1', at + 257, at + 262) !== 'ustar') continue;
    fixed.fill(' ', at + 148, at + 156);
    const sum = fixed.subarray(at, at + BLOCK).reduce((total, byte) => total + byte, 0);
    fixed.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1');
  }
  return fixed;
}

export const CURRENT = `problem_format_version: 2025-09
name: {en: Echo}
uuid: echo
license: cc0
rights_owner: Us
type: [pass-fail, interactive]
limits: {time_limit: 1.5, memory: 256, time_multipliers: {ac_to_time_limit: 2}}
constants: {n: 100, name: x}
languages: [cpp, python3]
keywords: [a, b]
`;
export const LEGACY =
  'name: Echo\nlicense: cc0\nvalidation: custom interactive\nvalidator_flags: "a b"\nlimits: {memory: 512, time_multiplier: 5}\n';

/** `problem.yaml`, of the current and the legacy format. */
export function openProblemMetadata(): Target {
  return {
    seeds: [CURRENT, LEGACY].map((text) => Buffer.from(text)),
    structure: bytesInput([
      'problem_format_version: 2025-09\n',
      '&a ',
      '*a',
      '[*a,*a,*a,*a]',
      '<<: ',
      '!!binary ',
      '- ',
      ': ',
      '{',
      '}',
      '[',
      ']',
      '"',
      '|\n',
      '? ',
      '? '.repeat(32),
      '- '.repeat(32),
      'a: {'.repeat(32),
      '---\n',
      '.inf',
      '0x10',
      '~',
      '\t',
    ]),
    refuses: isProblemError,
    run(input) {
      const text = Buffer.from(input).toString();
      if (text.includes('2025-09')) readMetadata2025(text);
      else readMetadataLegacy(text, 'echo');
    },
  };
}

/** A zipped package. */
export function openZippedProblems(): Target {
  const folder = mkdtempSync(join(tmpdir(), 'skein-fuzz-zip-'));
  const archive = join(folder, 'echo.zip');
  const unpacker = openUnpacker({ maxBytes: 1 << 20, maxFiles: 1000 });
  const seeds = [
    zipOf([
      ['echo/problem.yaml', CURRENT],
      ['echo/data/sample/1.in', '1\n'],
      ['echo/data/', ''],
    ]),
    zipOf([['problem.yaml', LEGACY]]),
  ];
  return {
    seeds,
    structure: zipInput(seeds),
    refuses: isProblemError,
    async run(input) {
      const into = join(folder, 'into');
      rmSync(into, { recursive: true, force: true });
      mkdirSync(into);
      writeFileSync(archive, input);
      await unpacker.unpack(archive, into);
    },
    async close() {
      await unpacker.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function zipInput(all: readonly Uint8Array[]): Structure {
  const words = [
    '../',
    '/',
    '\\',
    'PK\x01\x02',
    'PK\x05\x06',
    'PK\x06\x07',
    '\0\0\xed\xa1',
    'echo/',
  ];
  const dictionary = words.map((word) => Buffer.from(word, 'latin1'));
  return {
    ...bytesInput(words),
    mutate: (seeds, random) => changedBytes(random.pick(seeds), all, dictionary, random),
  };
}

function zipOf(files: readonly (readonly [name: string, content: string])[]): Buffer {
  const [locals, entries]: [Buffer[], Buffer[]] = [[], []];
  let offset = 0;
  for (const [name, content] of files) {
    const packed = deflateRawSync(content);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(8, 4);
    fields.writeUInt32LE(crc32(Buffer.from(content)), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(Buffer.byteLength(content), 18);
    fields.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), fields, Buffer.from(name), packed]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(offset, 10);
    entries.push(
      Buffer.concat([Buffer.from('PK\x01\x02\x14\x03', 'latin1'), fields, rest, Buffer.from(name)]),
    );
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}
