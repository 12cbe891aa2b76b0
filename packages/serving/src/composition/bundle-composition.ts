/**
 * Makes one artifact of a composition: its module with everything that it imports, so that any node
 * of a fleet can load it and no node needs the files. Equal files give equal bytes, wherever they
 * lie, and so the same version.
 *
 * Three kinds of imports stay outside, and are resolved where the composition runs:
 * - built-in modules of Node;
 * - `@skein/*`: a composition shares the tensors and the errors of its node;
 * - packages with native code, which exist once per platform: they are installed with Skein, or
 *   in the working directory of each node.
 */
import { readFile, stat } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import type { Message, Plugin } from 'esbuild';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { SkeinError } from '@skein/api';

export interface BundledComposition {
  readonly code: Uint8Array;
  /** Packages with native code that it imports, in alphabetical order. */
  readonly nativePackages: readonly string[];
}

/** A module is code, not weights; a larger one is a mistake. */
export const MAX_MODULE_BYTES = 16 * 1024 * 1024;
const SHOWN_MESSAGES = 3;

/**
 * @param path absolute path of the module.
 * @throws SkeinError FILE_UNREADABLE; COMPOSITION_INVALID with file and line of what cannot be bundled.
 */
export async function bundleComposition(path: string): Promise<BundledComposition> {
  await checkReadable(path);
  const folder = dirname(path);
  // Loaded here, so that a node without compositions does not load it.
  const { build } = await import('esbuild');
  const native = new Set<string>();
  const result = await build({
    entryPoints: [path],
    absWorkingDir: folder,
    outfile: join(folder, 'composition.mjs'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    // A stack names the lines of the author.
    sourcemap: 'inline',
    sourcesContent: false,
    legalComments: 'none',
    loader: { '.txt': 'text', '.bin': 'binary' },
    plugins: [outside(native)],
    logLevel: 'silent',
    write: false,
  }).catch((error: unknown) => {
    const { errors } = error as { errors?: Message[] };
    if (errors === undefined || errors.length === 0) throw error;
    const messages = errors.slice(0, SHOWN_MESSAGES).map((message) => textOf(message, folder));
    throw new SkeinError('COMPOSITION_INVALID', messages.join(' '), { cause: error });
  });
  const code = result.outputFiles[0]!.contents;
  if (code.byteLength > MAX_MODULE_BYTES) {
    throw new SkeinError(
      'COMPOSITION_INVALID',
      `${path} and its imports have ${code.byteLength} bytes, which is too large for a module.`,
    );
  }
  return { code, nativePackages: [...native].toSorted() };
}

async function checkReadable(path: string): Promise<void> {
  try {
    if (!(await stat(path)).isFile()) throw new Error('it is not a file');
    await readFile(path);
  } catch (error) {
    const reason = (error as Error).message;
    throw new SkeinError('FILE_UNREADABLE', `${path} cannot be read: ${reason}.`, { cause: error });
  }
}

function textOf({ text, location }: Message, folder: string): string {
  const what = text.replace(/\.?$/, '.');
  if (location === null) return what;
  return `${resolve(folder, location.file)}:${location.line}:${location.column + 1}: ${what}`;
}

/** @param native gets the names of packages with native code. */
function outside(native: Set<string>): Plugin {
  const ours = Symbol('resolving');
  return {
    name: 'outside',
    setup(build) {
      build.onResolve({ filter: /^[^./]/ }, async ({ path, pluginData, ...where }) => {
        if (pluginData === ours || where.kind === 'entry-point') return undefined;
        if (isBuiltin(path) || path.startsWith('@skein/')) return { path, external: true };
        const [, name] = /^((?:@[^/]+\/)?[^/]+)/.exec(path) ?? [];
        const { resolveDir, kind, importer } = where;
        const found = await build.resolve(path, { resolveDir, kind, importer, pluginData: ours });
        if (name === undefined || !(await hasNativeCode(found.path, name))) return undefined;
        native.add(name);
        return { path, external: true };
      });
    },
  };
}

/** Fields that tools for native code (compiling, downloading, choosing) leave in the manifest of a package. */
const NATIVE_TOOLS = ['node-gyp-build', 'bindings', 'prebuild-install', 'node-addon-api', 'nan'];
const PLATFORM = /(linux|darwin|win32)-(x64|arm64)/;

async function hasNativeCode(file: string, name: string): Promise<boolean> {
  const at = file.replaceAll('\\', '/').lastIndexOf(`/node_modules/${name}/`);
  if (at < 0) return false;
  const text = await readFile(
    join(file.slice(0, at), 'node_modules', name, 'package.json'),
    'utf8',
  );
  const manifest = readJson(text, JSON_BOUNDS.stored) as {
    gypfile?: boolean;
    binary?: object;
    scripts?: Record<string, string>;
    dependencies?: Record<string, string>;
    optionalDependencies?: Record<string, string>;
  };
  return (
    manifest.gypfile === true ||
    manifest.binary !== undefined ||
    manifest.scripts?.['install'] !== undefined ||
    NATIVE_TOOLS.some((tool) => manifest.dependencies?.[tool] !== undefined) ||
    Object.keys(manifest.optionalDependencies ?? {}).some((each) => PLATFORM.test(each))
  );
}
