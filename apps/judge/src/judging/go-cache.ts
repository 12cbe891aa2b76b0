/**
 * Go compiles its standard library into a build cache, which takes most of a minute; this does it
 * once per toolchain, inside a sandbox, and keeps the result on the host to be mounted read-only.
 *
 * A cache that is incomplete or stale costs time, never correctness: go verifies what it reads.
 */
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { SandboxDriver } from '@skein/sandbox';
import { go } from '../languages/go.ts';
import type { JudgeSandboxOptions } from './judge-sandbox.ts';

/** What contestants import. */
const PACKAGES = [
  'bufio',
  'bytes',
  'cmp',
  'container/heap',
  'container/list',
  'errors',
  'fmt',
  'io',
  'maps',
  'math',
  'math/big',
  'math/bits',
  'math/cmplx',
  'math/rand',
  'os',
  'slices',
  'sort',
  'strconv',
  'strings',
  'sync',
  'time',
  'unicode',
];

const MAX_BYTES = 512 * 2 ** 20;
const FOLDER = 'go-cache';

/** @returns the cache's folder on the host, or undefined when it cannot be made. */
export async function prepareGoCache(
  driver: SandboxDriver,
  { image, cacheFolder }: JudgeSandboxOptions,
  version: string,
): Promise<string | undefined> {
  if (cacheFolder === undefined) return undefined;
  const identity = JSON.stringify([version, driver.name, image, PACKAGES, go.env]);
  const digest = createHash('sha256').update(identity).digest('hex').slice(0, 16);
  const target = join(cacheFolder, `go-${digest}`);
  if (await exists(target)) return target;
  await mkdir(cacheFolder, { recursive: true, mode: 0o755 });
  const fresh = await mkdtemp(join(cacheFolder, 'unfinished-'));
  try {
    if (!(await fill(driver, image, fresh))) return undefined;
    await makeReadable(fresh);
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

/** Guests read it under a user of their own; go wants every one of its folders, even when empty. */
async function makeReadable(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (let byte = 0; byte < 256; byte++) {
    const name = byte.toString(16).padStart(2, '0');
    await mkdir(join(folder, name), { recursive: true, mode: 0o755 });
  }
}

async function fill(
  driver: SandboxDriver,
  image: string | undefined,
  folder: string,
): Promise<boolean> {
  const session = await driver.open({
    image,
    mounts: [],
    limits: {
      wallMs: 600_000,
      memoryBytes: 2 ** 31,
      pids: 256,
      outputBytes: 2 ** 20,
      fileBytes: MAX_BYTES,
      diskBytes: MAX_BYTES,
    },
    network: 'none',
    untrusted: true,
  });
  try {
    const source = `package main\nimport (\n${PACKAGES.map((name) => `_ "${name}"`).join('\n')}\n)\nfunc main() {}\n`;
    await session.put([{ path: 'main.go', content: new TextEncoder().encode(source) }]);
    const result = await session.run({
      argv: ['go', 'build', '-trimpath', '-o', 'program', 'main.go'],
      env: { ...go.env, GOCACHE: `${session.workspace}/${FOLDER}` },
      workspace: 'writable',
    });
    if (result.endedBy !== 'exit' || result.exitCode !== 0) return false;
    for await (const file of session.collect([FOLDER], MAX_BYTES)) {
      const path = join(folder, file.path.slice(FOLDER.length + 1));
      await mkdir(dirname(path), { recursive: true, mode: 0o755 });
      const handle = await open(path, 'wx', 0o644);
      try {
        for await (const chunk of file.content) await handle.write(chunk);
      } finally {
        await handle.close();
      }
    }
    return true;
  } finally {
    await session.close();
  }
}
