/**
 * Fills the cache of a language's toolchain, once per toolchain, inside a sandbox, and keeps the
 * result on the host to be mounted read-only.
 */
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFolders } from '@skein/api/folders';
import type { SandboxDriver } from '@skein/sandbox';
import type { Language, ToolchainCache } from '../languages/language.ts';

export interface JudgeSandboxOptions {
  /** Root file system of guests; default: the driver's. */
  readonly image?: string | undefined;
  /** Folder of the host in which prepared caches of toolchains are kept; default: none are. */
  readonly cacheFolder?: string | undefined;
  /** Receives the sentence that explains the wait, before a cache is filled. */
  readonly onFilling?: ((message: string) => void) | undefined;
}

const MAX_BYTES = 512 * 2 ** 20;
const MEMORY_BYTES = 2 ** 31;
const FOLDER = 'cache';

type Cached = Language & { readonly cache: ToolchainCache };

export function isCached(language: Language): language is Cached {
  return language.cache !== undefined;
}

/** @returns the cache's folder on the host, or undefined when it cannot be made. */
export async function prepareCache(
  language: Cached,
  version: string,
  driver: SandboxDriver,
  { image, cacheFolder, onFilling }: JudgeSandboxOptions,
): Promise<string | undefined> {
  if (cacheFolder === undefined) return undefined;
  const { code, cache, env } = language;
  const source = Buffer.from(cache.source.content).toString();
  const identity = JSON.stringify([version, driver.name, image, source, env, cache.links]);
  const digest = createHash('sha256').update(identity).digest('hex').slice(0, 16);
  const target = join(cacheFolder, `${code}-${digest}`);
  if (await exists(target)) return target;
  onFilling?.(
    `Compiling the standard library of ${language.name}, once for this machine: up to a minute.`,
  );
  await makeFolders(cacheFolder, 0o755);
  const fresh = await mkdtemp(join(cacheFolder, 'unfinished-'));
  try {
    if (!(await fill(language, driver, image, fresh))) return undefined;
    await makeReadable(fresh, cache);
    // Two judges may have had the same idea; either cache will do.
    await rename(fresh, target).catch(async (error: unknown) => {
      if (!(await exists(target))) throw error;
    });
    return target;
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Guests read it under a user of their own. */
async function makeReadable(folder: string, cache: ToolchainCache): Promise<void> {
  await chmod(folder, 0o755);
  for (const name of cache.folders) {
    await mkdir(join(folder, name), { recursive: true, mode: 0o755 });
  }
  for (const [name, place] of Object.entries(cache.links)) {
    await rm(join(folder, name), { force: true });
    await symlink(place, join(folder, name));
  }
}

async function fill(
  language: Cached,
  driver: SandboxDriver,
  image: string | undefined,
  folder: string,
): Promise<boolean> {
  const session = await driver.open({
    image,
    mounts: [],
    limits: {
      wallMs: 600_000,
      memoryBytes: MEMORY_BYTES,
      pids: 256,
      outputBytes: 2 ** 20,
      fileBytes: MAX_BYTES,
      diskBytes: MAX_BYTES,
    },
    network: 'none',
    untrusted: true,
  });
  try {
    const { cache, env } = language;
    const { path } = cache.source;
    await session.put([cache.source]);
    const place = { folder: session.workspace, entry: path, sources: [path] };
    const result = await session.run({
      argv:
        language.compile?.({ ...place, memoryBytes: MEMORY_BYTES, stackBytes: undefined }) ?? [],
      env: { ...env, [cache.variable]: `${session.workspace}/${FOLDER}` },
      workspace: 'writable',
    });
    if (result.endedBy !== 'exit' || result.exitCode !== 0) return false;
    for await (const file of session.collect([FOLDER], MAX_BYTES)) {
      const path = join(folder, file.path.slice(FOLDER.length + 1));
      await mkdir(dirname(path), { recursive: true, mode: 0o755 });
      await writeFile(path, file.content, { flag: 'wx', mode: 0o644 });
    }
    return true;
  } finally {
    await session.close();
  }
}
