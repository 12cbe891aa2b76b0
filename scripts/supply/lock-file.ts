/** The packages in `package-lock.json`, and the ones that run outside development. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface LockEntry {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly license?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** By path: `packages/api`, `node_modules/zod`, `node_modules/a/node_modules/b`; the root is ''. */
export type LockFile = ReadonlyMap<string, LockEntry>;

export interface LockedPackage {
  readonly path: string;
  readonly name: string;
  readonly version: string;
  /** SPDX expression; absent when the package states none that npm understands. */
  readonly license: string | undefined;
  /** Hash of the archive, which npm checks: `sha512-…` in base64. */
  readonly integrity: string;
  readonly optional: boolean;
  /** Paths of what it depends on. */
  readonly needs: readonly string[];
}

const INSTALLED = 'node_modules/';

/** Read from the root of the repository. */
export function readLockFile(root: string): LockFile {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, LockEntry>>;
  };
  return new Map(Object.entries(packages));
}

/** Every package from a registry, development or not. */
export function installed(lock: LockFile): [path: string, entry: LockEntry][] {
  return [...lock].filter(([path, { link }]) => path.includes(INSTALLED) && link !== true);
}

/**
 * The third-party packages of an installation of Skein, ordered by name and version, with the optional ones, which
 * the image has and a user may add.
 */
export function productionPackages(lock: LockFile): LockedPackage[] {
  const optional = optionalPackages(lock);
  return installed(lock)
    .filter(([path, { dev }]) => dev !== true || optional.has(path))
    .map(([path, entry]) => locked(lock, path, entry))
    .sort(byName);
}

/** Paths of packages that this project names as peers, with their dependencies. */
function optionalPackages(lock: LockFile): ReadonlySet<string> {
  const peers = [...lock].flatMap(([path, { peerDependencies = {} }]) =>
    path.includes(INSTALLED) ? [] : Object.keys(peerDependencies).map((name) => INSTALLED + name),
  );
  const found = new Set<string>();
  for (let path = peers.pop(); path !== undefined; path = peers.pop()) {
    if (found.has(path)) continue;
    found.add(path);
    peers.push(...needsOf(lock, path));
  }
  return found;
}

/** The same for one package of Skein alone, such as `packages/onnx`, without the other packages of Skein. */
export function closureOf(lock: LockFile, workspace: string): LockedPackage[] {
  const seen = new Set<string>();
  const waiting = [workspace];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    waiting.push(...needsOf(lock, path));
  }
  return productionPackages(lock).filter(({ path }) => seen.has(path));
}

/** Paths of what a package depends on, as Node finds them: from the innermost folder outwards. */
export function needsOf(lock: LockFile, path: string): string[] {
  const { dependencies = {}, optionalDependencies = {} } = lock.get(path) ?? {};
  return Object.keys({ ...dependencies, ...optionalDependencies }).flatMap((name) => {
    for (let folder = path; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/')))) {
      const found = folder === '' ? INSTALLED + name : `${folder}/${INSTALLED}${name}`;
      const entry = lock.get(found);
      if (entry !== undefined) return [entry.link === true ? (entry.resolved ?? found) : found];
      // An optional dependency for another platform may be left out.
      if (folder === '') return [];
    }
  });
}

function locked(lock: LockFile, path: string, entry: LockEntry): LockedPackage {
  const name = path.slice(path.lastIndexOf(INSTALLED) + INSTALLED.length);
  const { version = '', license, integrity = '', optional = false } = entry;
  return { path, name, version, license, integrity, optional, needs: needsOf(lock, path) };
}

function byName(a: LockedPackage, b: LockedPackage): number {
  const [one, other] = [`${a.name} ${a.version} ${a.path}`, `${b.name} ${b.version} ${b.path}`];
  return one < other ? -1 : 1;
}
