/**
 * Unpacks a zipped problem package (`.zip`, `.kpp`) into a fresh folder; `unpack.ts` runs it in a
 * separate thread.
 *
 * An archive is untrusted input. yauzl refuses absolute names and `..`; in addition links, special
 * files and duplicate names are refused, and the unpacked size is counted while it is written,
 * never taken from the archive's header. Nor does yauzl compare the CRC-32 of a file.
 */
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import { openPromise, type Entry } from 'yauzl';
import { invalid } from '../invalid.ts';
import { MAX_DEPTH } from './package-folder.ts';

export interface UnpackBounds {
  /** All files together, unpacked. */
  readonly maxBytes: number;
  readonly maxFiles: number;
}

const FILE_TYPE = 0o170000;
const REGULAR = 0o100000;
const FOLDER = 0o040000;

/** The mode in the archive, when it was made on Unix. */
function unixMode(entry: Entry): number {
  return entry.externalFileAttributes >>> 16;
}

/**
 * @param into an existing, empty folder.
 * @returns the package's folder below it.
 * @throws SkeinError PROBLEM_INVALID.
 */
export async function unpackArchive(
  archive: string,
  into: string,
  bounds: UnpackBounds,
): Promise<string> {
  const shortName = basename(archive, extname(archive));
  const at = basename(archive);
  const unpacked = join(into, '.unpacked');
  await mkdir(unpacked);
  const zip = await openPromise(archive, {
    lazyEntries: true,
    autoClose: false,
    validateEntrySizes: true,
    strictFileNames: true,
  }).catch((error: Error) => {
    throw invalid(at, `it cannot be read as a zip archive: ${error.message.replace(/\.$/, '')}`);
  });
  const seen = new Set<string>();
  let bytes = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      // bsdtar writes the names of `.` so.
      const name = entry.fileName.replace(/^(?:\.\/)+/, '');
      if (name === '') continue;
      // A path with a null byte fails before its stream has a reader; the stream's error would then end the
      // process.
      if (name.includes('\0'))
        throw invalid(at, `${JSON.stringify(name)} is not a valid file name`);
      // Each folder of a path is made: short archives could name millions.
      if (name.split('/').length > MAX_DEPTH + 2) {
        throw invalid(at, `its folders are nested more than ${MAX_DEPTH} deep`);
      }
      if (seen.has(name)) throw invalid(`${at}: ${name}`, 'the name comes twice');
      seen.add(name);
      if (seen.size > bounds.maxFiles) throw invalid(at, `more than ${bounds.maxFiles} files`);
      const type = unixMode(entry) & FILE_TYPE;
      const isFolder = name.endsWith('/');
      if (type !== 0 && type !== (isFolder ? FOLDER : REGULAR)) {
        throw invalid(`${at}: ${name}`, 'links and special files are not unpacked; store a copy');
      }
      const target = join(unpacked, name);
      if (isFolder) {
        await mkdir(target, { recursive: true });
        continue;
      }
      await mkdir(dirname(target), { recursive: true });
      let sum = 0;
      const counted = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          bytes += chunk.byteLength;
          sum = crc32(chunk, sum);
          if (bytes > bounds.maxBytes) {
            done(invalid(at, `it unpacks to more than ${bounds.maxBytes} bytes`));
          } else done(null, chunk);
        },
        flush: (done) =>
          done(
            sum === entry.crc32
              ? null
              : invalid(`${at}: ${name}`, 'it is damaged: its bytes have another CRC-32'),
          ),
      });
      const mode = (unixMode(entry) & 0o100) === 0 ? 0o644 : 0o755;
      await pipeline(
        await zip.openReadStreamPromise(entry),
        counted,
        createWriteStream(target, { flags: 'wx', mode }),
      );
    }
  } catch (error) {
    if (error instanceof Error && error.name === 'SkeinError') throw error;
    throw invalid(at, `it cannot be unpacked: ${(error as Error).message}`);
  } finally {
    zip.close();
  }
  const folder = join(into, shortName);
  await rename(await packageRoot(unpacked, shortName, seen, at), folder);
  return folder;
}

/** The only folder with a package, or (as many tools make archives) the files themselves. */
async function packageRoot(
  unpacked: string,
  shortName: string,
  names: ReadonlySet<string>,
  at: string,
): Promise<string> {
  if (names.has('problem.yaml')) return unpacked;
  const top = await readdir(unpacked);
  const packages = top.filter((name) => names.has(`${name}/problem.yaml`));
  const [only, other] = packages.includes(shortName) ? [shortName] : packages;
  if (only === undefined) throw invalid(at, 'it holds no folder with a problem.yaml');
  if (other !== undefined) {
    throw invalid(at, `it holds several packages: ${packages.toSorted().join(', ')}`);
  }
  return join(unpacked, only);
}
