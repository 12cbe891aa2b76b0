/**
 * The problems of a judge: read from a folder of packages at start, and published as artifacts for
 * the workers. An invalid package is left out, with its reason; the others are served.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { SkeinError } from '@skein/api';
import { unreadable } from '@skein/api/file-errors';
import { makeFolders } from '@skein/api/folders';
import type { ArtifactStore, Database } from '@skein/state';
import { loadProblem } from '../../package/load-problem.ts';
import { openPackageFolder, type PackageFolder } from '../../package/archive/package-folder.ts';
import type { Problem } from '../../package/problem.ts';
import { unpackPackage } from '../../package/archive/unpack.ts';
import { type RenderedStatement, renderStatement } from '../../statement/render-statement.ts';
import { type Sample, samplesOf } from '../../statement/samples.ts';
import { fileAddress } from '../api/package-file.ts';
import { packProblem } from './pack.ts';

export interface PublishedProblem {
  readonly problem: Problem;
  /** sha-256 of the package's archive. */
  readonly digest: string;
  /** Files that any client may download: the files of the statements and the attachments. */
  readonly publicFiles: ReadonlySet<string>;
  /**
   * By path, and the samples: as they were when the package was published. An edit in its folder is
   * shown from the next start on, which is when the tests follow it.
   */
  readonly statements: ReadonlyMap<string, RenderedStatement>;
  readonly samples: readonly Sample[];
}

export interface BrokenPackage {
  /** File or folder name. */
  readonly name: string;
  readonly reason: string;
}

export interface Catalog {
  /** By short name, sorted. */
  readonly problems: ReadonlyMap<string, PublishedProblem>;
  readonly broken: readonly BrokenPackage[];
}

const ARCHIVE = /\.(?:zip|kpp)$/i;

export interface CatalogOptions {
  /** Folder of packages: folders, `.zip` and `.kpp` files. */
  readonly folder: string;
  /** Where archives are unpacked; emptied first. */
  readonly unpackedFolder: string;
  readonly artifacts: ArtifactStore;
  readonly database: Database;
}

/** @throws SkeinError FILE_UNREADABLE when there is no such folder; STORAGE_FULL, STORE_UNREACHABLE. */
export async function openCatalog(options: CatalogOptions): Promise<Catalog> {
  const { folder, unpackedFolder } = options;
  await rm(unpackedFolder, { recursive: true, force: true });
  await makeFolders(unpackedFolder);
  const names = await readdir(folder).catch((error: unknown) => {
    throw unreadable(folder, error);
  });
  const publish = publisher(options);
  const problems = new Map<string, PublishedProblem>();
  const broken: BrokenPackage[] = [];
  for (const name of names.sort()) {
    if (name.startsWith('.')) continue;
    const place = join(folder, name);
    try {
      // A link to nothing is a package that is missing.
      const status = await stat(place).catch((error: unknown) => {
        throw unreadable(place, error);
      });
      const isFolder = status.isDirectory();
      if (!isFolder && !(status.isFile() && ARCHIVE.test(name))) continue;
      const at = isFolder ? place : await unpackArchive(place, unpackedFolder);
      const problem = await loadProblem(at);
      if (problems.has(problem.shortName)) {
        throw new SkeinError('PROBLEM_INVALID', `There are two packages "${problem.shortName}".`);
      }
      problems.set(problem.shortName, await publish(problem));
    } catch (error) {
      if (!(error instanceof SkeinError) || error.row.kind !== 'user') throw error;
      broken.push({ name, reason: error.message });
    }
  }
  return { problems, broken };
}

async function unpackArchive(archive: string, parent: string): Promise<string> {
  const into = await mkdtemp(join(parent, `${basename(archive)}-`));
  return unpackPackage(archive, into);
}

/** Packs and stores a package, unless the same bytes were stored before. */
function publisher({ artifacts, database }: CatalogOptions) {
  const known = database.prepare('SELECT value FROM service WHERE key = ?');
  const remember = database.prepare(
    `INSERT INTO service (key, value) VALUES (?1, ?2)
     ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
  );
  const addPackage = database.prepare(
    'INSERT INTO packages (digest, short_name, time_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
  );
  return async (problem: Problem): Promise<PublishedProblem> => {
    // First: a package whose page cannot be shown is left out.
    const shown = await shownOf(problem);
    const files = await openPackageFolder(problem.folder);
    const key = `package of ${problem.shortName}`;
    const print = await fingerprint(problem.folder, files.entries);
    const [knownPrint, knownDigest] = (
      (database.read(() => known.get(key))?.['value'] as string | undefined) ?? ''
    ).split(' ');
    const digest =
      knownPrint === print && knownDigest !== undefined && (await isStored(artifacts, knownDigest))
        ? knownDigest
        : (await artifacts.put(await packProblem(problem.folder), Number.POSITIVE_INFINITY)).digest;
    database.write('power-cut', () => {
      remember.run(key, `${print} ${digest}`);
      addPackage.run(digest, problem.shortName, problem.limits.timeMs ?? null);
    });
    const publicFiles = new Set([
      ...problem.statements.flatMap(({ path }) => [path, ...filesNextTo(files, path)]),
      ...problem.attachments,
    ]);
    return { problem, digest, publicFiles, ...shown };
  };
}

/** Files in the folder of a statement, such as its pictures; at the root of a package stands all of it. */
function filesNextTo(files: PackageFolder, statement: string): string[] {
  const at = dirname(statement);
  return at === '.' ? [] : files.under(at).map(({ path }) => path);
}

async function shownOf(
  problem: Problem,
): Promise<Pick<PublishedProblem, 'statements' | 'samples'>> {
  const address = (path: string): string => fileAddress(problem.shortName, path);
  const statements = new Map<string, RenderedStatement>();
  for (const statement of problem.statements) {
    statements.set(statement.path, await renderStatement(problem, statement, address));
  }
  return { statements, samples: await samplesOf(problem) };
}

/** A fingerprint that changes when a file does: names, sizes, modes and times of change. */
async function fingerprint(
  folder: string,
  entries: readonly { readonly path: string; readonly executable: boolean }[],
): Promise<string> {
  const hash = createHash('sha256');
  for (const { path, executable } of entries) {
    const { size, mtimeMs, ctimeMs, ino } = await stat(join(folder, path));
    hash.update(JSON.stringify([path, executable, size, mtimeMs, ctimeMs, ino]));
  }
  return hash.digest('hex');
}

async function isStored(artifacts: ArtifactStore, digest: string): Promise<boolean> {
  return artifacts.sizeOf(digest).then(
    () => true,
    () => false,
  );
}
