/**
 * An export: a folder that only its owner can read.
 *
 *   rows.ndjson     a row of the state per line
 *   artifacts/      the models and compositions of its versions, by digest
 *   manifest.json   format, counts, digests; written last, so that an export without it is unfinished
 *
 * Nothing in it is trusted when it is read: names of files are fixed or are digests, links are not
 * followed, lines have a bound, and everything is compared with the manifest before a row is used.
 */
import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readdir, rename, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { makeFolders } from '@skein/api/folders';
import { SkeinError } from '@skein/api/errors';
import { z } from 'zod';
import { openFileArtifacts } from '../artifacts/file-artifacts.ts';
import { FOLDER_MODE } from '../disk/private-files.ts';
import { Digest, readRow, ROW_KINDS, type RowKind, type StoredRow } from './rows.ts';
import type { Snapshot } from './snapshot.ts';

const FORMAT = 1;
const ROWS = 'rows.ndjson';
const MANIFEST = 'manifest.json';
const ARTIFACTS = 'artifacts';
/** A run with all its epochs is the longest. */
const LONGEST_LINE_BYTES = 64 * 2 ** 20;
const LARGEST_MANIFEST_BYTES = 64 * 2 ** 20;
const WRITE_BYTES = 2 ** 20;
/** Windows has none. */
const NOFOLLOW = constants.O_NOFOLLOW ?? 0;

const Count = z.int().nonnegative();
const Manifest = z.strictObject({
  skein: z.literal('state'),
  format: z.literal(FORMAT),
  at: z.string(),
  rows: z.strictObject({
    sha256: Digest,
    sizeBytes: Count,
    counts: z.record(z.enum(ROW_KINDS), Count),
  }),
  artifacts: z.array(z.strictObject({ digest: Digest, sizeBytes: Count })),
});
type Manifest = z.infer<typeof Manifest>;

/** Reports of the progress: a step is worth a line in a log. */
export interface Progress {
  step(text: string): void;
  progress(text: string): void;
}
export const SILENT: Progress = { step() {}, progress() {} };

/**
 * @param folder created; an existing one must be empty.
 * @throws SkeinError EXPORT_INVALID (the folder is not empty), STORAGE_FULL, ARTIFACT_CORRUPT.
 */
export async function writeExport(
  snapshot: Snapshot,
  folder: string,
  notes: Progress = SILENT,
): Promise<void> {
  await makeFolders(folder, FOLDER_MODE);
  if ((await readdir(folder)).length > 0) {
    throw new SkeinError(
      'EXPORT_INVALID',
      `${folder} is not empty; an export has a folder of its own.`,
    );
  }
  const store = await openFileArtifacts(join(folder, ARTIFACTS));
  for (const [index, { digest, sizeBytes }] of snapshot.artifacts.entries()) {
    notes.step(`Artifact ${index + 1} of ${snapshot.artifacts.length}`);
    await store.put(snapshot.read(digest), sizeBytes);
  }
  notes.step('Records');
  const rows = await writeRows(snapshot, join(folder, ROWS));
  const manifest: Manifest = {
    skein: 'state',
    format: FORMAT,
    at: new Date().toISOString(),
    rows,
    artifacts: [...snapshot.artifacts],
  };
  const draft = join(folder, `${MANIFEST}.new`);
  await writing(draft, (file) => file.writeFile(`${JSON.stringify(manifest, null, 1)}\n`));
  await rename(draft, join(folder, MANIFEST));
}

async function writeRows(snapshot: Snapshot, path: string): Promise<Manifest['rows']> {
  const hash = createHash('sha256');
  const counts = Object.fromEntries(ROW_KINDS.map((kind) => [kind, 0])) as Record<RowKind, number>;
  let sizeBytes = 0;
  await writing(path, async (file) => {
    let lines: string[] = [];
    let length = 0;
    const flush = async (): Promise<void> => {
      const bytes = Buffer.from(lines.join(''));
      hash.update(bytes);
      sizeBytes += bytes.byteLength;
      await file.writeFile(bytes);
      lines = [];
      length = 0;
    };
    for await (const row of snapshot.rows()) {
      counts[row.kind] += 1;
      const line = `${JSON.stringify(row)}\n`;
      lines.push(line);
      length += line.length;
      if (length > WRITE_BYTES) await flush();
    }
    await flush();
  });
  return { sha256: hash.digest('hex'), sizeBytes, counts };
}

/**
 * An export as a snapshot. Its rows and the sizes of its artifacts have been compared with the
 * manifest; an artifact is compared with its digest while it is read.
 * @throws SkeinError EXPORT_INVALID.
 */
export async function readExport(folder: string): Promise<Snapshot> {
  const { rows, artifacts } = await readManifest(folder);
  const path = join(folder, ROWS);
  const counts = Object.fromEntries(ROW_KINDS.map((kind) => [kind, 0])) as Record<RowKind, number>;
  const hash = createHash('sha256');
  const needed = new Set<string>();
  for await (const row of rowsOf(folder, path, rows.sizeBytes, hash)) {
    counts[row.kind] += 1;
    if (row.kind === 'version') needed.add(row.record.digest);
  }
  if (hash.digest('hex') !== rows.sha256) throw invalid(folder, `${ROWS} has another sha-256`);
  for (const kind of ROW_KINDS) {
    const announced = rows.counts[kind];
    if (counts[kind] !== announced) {
      throw invalid(folder, `it has ${counts[kind]} rows of "${kind}" instead of ${announced}`);
    }
  }
  const store = await openFileArtifacts(join(folder, ARTIFACTS), { shared: true });
  for (const { digest, sizeBytes } of artifacts) {
    needed.delete(digest);
    const found = await store.sizeOf(digest).catch(() => undefined);
    if (found !== sizeBytes) {
      const what =
        found === undefined ? 'is missing' : `has ${found} bytes instead of ${sizeBytes}`;
      throw invalid(folder, `artifact ${digest} ${what}`);
    }
  }
  for (const digest of needed) throw invalid(folder, `artifact ${digest} is not in its manifest`);
  return {
    counts,
    artifacts,
    rows: () => rowsOf(folder, path, rows.sizeBytes, createHash('sha256')),
    read: (digest) => store.read(digest),
  };
}

async function readManifest(folder: string): Promise<Manifest> {
  const file = await opened(folder, MANIFEST);
  try {
    const { size } = await file.stat();
    if (size > LARGEST_MANIFEST_BYTES) throw invalid(folder, `${MANIFEST} has ${size} bytes`);
    const { success, data, error } = Manifest.safeParse(parsed(await file.readFile('utf8')));
    if (success) return data;
    const path = error.issues[0]?.path.join('.');
    throw invalid(
      folder,
      path === 'format'
        ? `its format is not ${FORMAT}, which this Skein reads`
        : `${MANIFEST} has a wrong ${path === '' ? 'content' : path}`,
    );
  } finally {
    await file.close();
  }
}

function parsed(text: string): unknown {
  try {
    return readJson(text, JSON_BOUNDS.stored);
  } catch {
    return undefined;
  }
}

/** Reads exactly the bytes that the manifest counts. */
async function* rowsOf(
  folder: string,
  path: string,
  sizeBytes: number,
  hash: Hash,
): AsyncGenerator<StoredRow> {
  const file = await opened(folder, ROWS);
  try {
    const { size } = await file.stat();
    if (size !== sizeBytes)
      throw invalid(folder, `${ROWS} has ${size} bytes instead of ${sizeBytes}`);
    let number = 0;
    for await (const line of linesOf(file, hash)) {
      number += 1;
      if (line === undefined) throw invalid(folder, `line ${number} of ${ROWS} is too long`);
      let row: StoredRow;
      try {
        row = readRow(line);
      } catch (error) {
        throw invalid(folder, `line ${number} of ${ROWS} ${(error as Error).message}`);
      }
      yield row;
    }
  } finally {
    await file.close();
  }
}

/** Undefined in place of a line that is too long, as the last one. */
async function* linesOf(file: FileHandle, hash: Hash): AsyncGenerator<string | undefined> {
  let begun: Buffer[] = [];
  let length = 0;
  const stream = file.createReadStream({ autoClose: false });
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    hash.update(chunk);
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      begun.push(chunk.subarray(from, end));
      yield Buffer.concat(begun).toString();
      begun = [];
      length = 0;
      from = end + 1;
    }
    begun.push(chunk.subarray(from));
    length += chunk.byteLength - from;
    if (length > LONGEST_LINE_BYTES) {
      yield undefined;
      return;
    }
  }
  if (length > 0) yield Buffer.concat(begun).toString();
}

async function opened(folder: string, name: string): Promise<FileHandle> {
  try {
    const file = await open(join(folder, name), constants.O_RDONLY | NOFOLLOW);
    if ((await file.stat()).isFile()) return file;
    await file.close();
  } catch {
    // It fails below.
  }
  throw invalid(folder, `${name} is missing or not a file`);
}

async function writing(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await write(file);
    await file.sync();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
    throw new SkeinError('STORAGE_FULL', `The disk under ${path} is full.`, { cause: error });
  } finally {
    await file.close();
  }
}

function invalid(folder: string, what: string): SkeinError {
  return new SkeinError('EXPORT_INVALID', `${folder} is not a whole export: ${what}.`);
}
