/**
 * Builds the publishable packages under `dist/`, because Node runs TypeScript from the source tree
 * but refuses to inside `node_modules`.
 *
 * One `tsc` emits every package; this script adds the assets, a NOTICE of what the package needs, and a
 * package.json that points at the JavaScript and asks npm for provenance. `--check` then holds each
 * package against publint, installs each one alone from its tarball into an empty folder, imports
 * everything that it exports, and runs the example of its README there. Other people's packages that
 * it declares are linked from this repository, which takes seconds and no network; with `--registry`
 * npm installs them, which takes minutes. `--check NAME …` installs only these. `--tarballs` packs them
 * all and prints the line that installs the command. `--every-platform` downloads Node for the others, for a release.
 * `--to FOLDER` builds in an empty folder in place of `dist`, for the image.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { docsStyle } from '@skein/console';
import { bundlePage } from '@skein/ui/bundle';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import {
  buildCommand,
  buildStarter,
  needsOfExample,
  rewriteUrls,
  writeExample,
} from './packing/command-package.ts';
import { checkBrowserBundles } from './packing/browser-bundles.ts';
import { checkOlderNode, enginesOf, guardEntries, otherNodes } from './packing/older-node.ts';
import { renameImports, repackedDependencies, repackOnnxRuntime } from './packing/onnx-runtime.ts';
import { repackNode } from './packing/private-node.ts';
import { closureOf, readLockFile } from './supply/lock-file.ts';
import { noticeOf } from './supply/notice.ts';

const root = dirname(import.meta.dirname);
const to = process.argv.indexOf('--to');
const dist = to === -1 ? join(root, 'dist') : resolve(process.argv[to + 1]!);
const tarballs = join(dist, 'tarballs');
const lock = readLockFile(root);
/** The example that the command carries. */
const EXAMPLE = join(root, 'examples/ocr');

interface Manifest {
  name: string;
  exports?: Record<string, string>;
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  bin?: Record<string, string>;
  [field: string]: unknown;
}

const toJs = (path: string): string => path.replace(/\.ts$/, '.js');

const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;

/** npm holds provenance against it. Known where packages are published from; absent elsewhere. */
function repositoryOf(directory: string): object {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository } = process.env;
  if (server === undefined || repository === undefined) return {};
  const url = `git+${server}/${repository}.git`;
  return { repository: { type: 'git', url, directory } };
}

/** Worker entries are named by URL, which the compiler does not rewrite. */
function rewriteNames(file: string): void {
  const text = readFileSync(file, 'utf8');
  const rewritten = renameImports(rewriteUrls(text));
  if (rewritten !== text) writeFileSync(file, rewritten);
}

/** Declarations have no style, and a compiler that checks them would look for its declarations. */
function dropStyleImports(file: string): void {
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replaceAll(/^import '[^']+\.css';\n/gm, ''));
}

/** The pages of a package: the folder with `pages.ts`, and its scripts by the name of their bundle. */
const PAGES: Readonly<Record<string, { folder: string; scripts: Record<string, string> }>> = {
  console: { folder: 'src', scripts: { console: 'main.tsx' } },
  federation: { folder: 'src/join', scripts: { join: 'main.tsx', worker: 'site-worker.ts' } },
  edge: {
    folder: 'src/page-files',
    scripts: {
      edge: 'edge.ts',
      'edge-worker': 'edge-worker.ts',
      'session-wasm': 'session-wasm.ts',
      'session-webgpu': 'session-webgpu.ts',
      'service-worker': 'service-worker.ts',
    },
  },
};

/** A package with a page carries it as a bundle, so that it needs no bundler where it is installed. */
async function bundlePages(name: string, source: string, target: string): Promise<void> {
  const page = PAGES[name];
  if (page === undefined) return;
  const at = join(target, page.folder);
  for (const file of globSync('**/*.{js,d.ts,css}', { cwd: at })) {
    if (!/^pages\.(js|d\.ts)$/.test(file)) rmSync(join(at, file));
  }
  const bundle = join(at, 'bundle');
  mkdirSync(bundle, { recursive: true });
  for (const [script, entry] of Object.entries(page.scripts)) {
    const bundled = await bundlePage(pathToFileURL(join(source, page.folder, entry)));
    writeFileSync(join(bundle, `${script}.js`), bundled.script);
    writeFileSync(join(bundle, `${script}.css`), bundled.style);
  }
  if (name === 'console') writeFileSync(join(bundle, 'docs.css'), docsStyle());
}

async function build(name: string): Promise<string> {
  const source = join(root, 'packages', name);
  const target = join(dist, name);
  const manifest = manifestOf(source);
  const { devDependencies: _dev, scripts: _scripts, ...published } = manifest;
  const exports = Object.fromEntries(
    Object.entries(manifest.exports ?? {}).map(([path, file]) => [
      path,
      /\.[jt]s$/.test(file)
        ? { types: file.replace(/\.[jt]s$/, '.d.ts'), default: toJs(file) }
        : file,
    ]),
  );
  const assets = globSync(['{src,bin}/**/*.{html,css,js,svg,proto,sql,py,sh,lua}', 'bin/*.d.ts'], {
    cwd: source,
  });
  for (const asset of [...assets, 'README.md']) {
    mkdirSync(dirname(join(target, asset)), { recursive: true });
    cpSync(join(source, asset), join(target, asset));
  }
  for (const file of globSync('**/*.{js,d.ts}', { cwd: target })) rewriteNames(join(target, file));
  for (const file of globSync('**/*.d.ts', { cwd: target })) dropStyleImports(join(target, file));
  if (name === 'cli') writeExample(EXAMPLE, join(target, 'examples/ocr'));
  await bundlePages(name, source, target);
  cpSync(join(root, 'LICENSE'), join(target, 'LICENSE'));
  writeFileSync(
    join(target, 'NOTICE'),
    noticeOf(manifest.name, closureOf(lock, `packages/${name}`)),
  );
  const scripts = Object.values(manifest.exports ?? {}).map(toJs);
  guardEntries(
    name,
    target,
    scripts.filter((path) => path.startsWith('./src/') && path.endsWith('.js')),
  );
  const packed = {
    ...published,
    ...repositoryOf(`packages/${name}`),
    exports,
    dependencies: {
      ...repackedDependencies(manifest.dependencies ?? {}, String(manifest['version'])),
      ...(name === 'cli' ? needsOfExample(EXAMPLE) : {}),
    },
    files: ['src', 'bin', ...(name === 'cli' ? ['examples'] : []), 'LICENSE', 'NOTICE'],
    engines: enginesOf(name),
    publishConfig: { access: 'public', provenance: true },
  };
  writeFileSync(join(target, 'package.json'), `${JSON.stringify(packed, null, 2)}\n`);
  return target;
}

/** Packages for other platforms are apart, so that npm can install the rest by one pattern. */
function packAll(all: readonly string[]): void {
  mkdirSync(join(tarballs, 'other-platforms'), { recursive: true });
  for (const folder of all) {
    const to = isForThisPlatform(folder) ? tarballs : join(tarballs, 'other-platforms');
    execFileSync('npm', ['pack', '--silent', '--pack-destination', to], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
}

function isForThisPlatform(folder: string): boolean {
  const { os = [process.platform], cpu = [process.arch] } = manifestOf(folder) as {
    readonly os?: readonly string[];
    readonly cpu?: readonly string[];
  };
  return os.includes(process.platform) && cpu.includes(process.arch);
}

async function lint(folder: string): Promise<number> {
  const { messages } = await publint({ pkgDir: folder, strict: true, pack: false });
  const manifest = manifestOf(folder);
  for (const message of messages) {
    console.error(`${relative(root, folder)}: ${formatMessage(message, manifest as never)}`);
  }
  return messages.length;
}

const tarballOf = (name: string): string => {
  const { name: full, version } = manifestOf(join(dist, name));
  return join(tarballs, `${full.replace('@', '').replace('/', '-')}-${String(version)}.tgz`);
};

/** Tarballs that an installation of `skein` needs here; a folder with all others makes npm install those too. */
function commandTarballs(): readonly string[] {
  const { optionalDependencies = {} } = manifestOf(join(dist, 'skein'));
  const needed = Object.keys(optionalDependencies).map((name) => name.slice('@skein/'.length));
  const here = needed.filter(
    (name) => existsSync(join(dist, name)) && isForThisPlatform(join(dist, name)),
  );
  return ['skein', ...here].map(tarballOf);
}

/** A package of this project, with its declared packages of this project, and theirs in turn. */
function packagesOf(name: string, found = new Set<string>()): ReadonlySet<string> {
  if (found.has(name)) return found;
  found.add(name);
  const { dependencies, optionalDependencies } = manifestOf(join(dist, name));
  for (const dependency of Object.keys({ ...dependencies, ...optionalDependencies })) {
    if (!dependency.startsWith('@skein/')) continue;
    const folder = dependency.slice('@skein/'.length);
    if (isForThisPlatform(join(dist, folder))) packagesOf(folder, found);
  }
  return found;
}

/**
 * Installs a package as a user would, with its own dependencies and no other package of this
 * repository, then bundles it for pages, imports every entry point and runs its example.
 */
async function installAlone(name: string): Promise<void> {
  const project = mkdtempSync(join(tmpdir(), `skein-pack-${name}-`));
  const run = (program: string, args: readonly string[]): void => {
    const PATH = [join(project, 'node_modules/.bin'), dirname(process.execPath)];
    execFileSync(program, args, {
      cwd: project,
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, PATH: [...PATH, process.env['PATH']].join(delimiter) },
      timeout: 120_000,
    });
  };
  try {
    const dependencies = Object.fromEntries(
      [...packagesOf(name)].map((each) => [`@skein/${each}`, `file:${tarballOf(each)}`]),
    );
    // A user of the example has installed them.
    const { peerDependencies: peers = {} } = manifestOf(join(dist, name));
    writeFileSync(
      join(project, 'package.json'),
      JSON.stringify({
        type: 'module',
        private: true,
        dependencies: { ...dependencies, ...peers },
      }),
    );
    if (process.argv.includes('--registry')) {
      const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
      run('npm', ['install', '--prefer-offline', ...quiet]);
    } else {
      for (const each of packagesOf(name)) unpack(each, project);
      link(Object.keys(peers), name, join(project, 'node_modules'));
    }

    const { name: full, exports = {}, bin = {} } = manifestOf(join(dist, name));
    const { language, text } = exampleOf(name);
    await checkBrowserBundles(name, project);
    writeFileSync(join(project, `example.${language}`), text);
    if (language === 'tsx') {
      // Components are for a bundler, which reads their style sheets.
      writeFileSync(join(project, 'bundle.ts'), BUNDLE_EXAMPLE);
      run(process.execPath, ['bundle.ts']);
      return;
    }
    const specifiers = Object.keys(exports).map((path) => join(full, path));
    for (const node of otherNodes()) checkOlderNode(node, specifiers, project);
    const imports = specifiers.map((each) => `await import(${JSON.stringify(each)});\n`);
    writeFileSync(join(project, 'imports.ts'), imports.join(''));
    run(process.execPath, ['imports.ts']);
    for (const command of Object.keys(bin)) run(command, ['version']);
    run(process.execPath, ['example.ts']);
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
}

/**
 * Unpacks a package as npm does, and links only its declared dependencies, so that undeclared ones
 * are missing.
 */
function unpack(name: string, project: string): void {
  const modules = join(project, 'node_modules');
  const target = join(modules, '@skein', name);
  mkdirSync(target, { recursive: true });
  execFileSync('tar', ['-xzf', tarballOf(name), '-C', target, '--strip-components=1']);
  const { dependencies = {}, bin = {} } = manifestOf(target);
  link(Object.keys(dependencies), name, modules);
  for (const [command, file] of Object.entries(bin)) {
    mkdirSync(join(modules, '.bin'), { recursive: true });
    chmodSync(join(target, file), 0o755);
    symlinkSync(join(target, file), join(modules, '.bin', command));
  }
}

/** Links dependencies of a package that are not packed here. */
function link(dependencies: readonly string[], name: string, modules: string): void {
  for (const dependency of dependencies) {
    const target = join(modules, dependency);
    if (dependency.startsWith('@skein/') || existsSync(target)) continue;
    mkdirSync(dirname(target), { recursive: true });
    const nested = join(root, 'packages', name, 'node_modules', dependency);
    symlinkSync(existsSync(nested) ? nested : join(root, 'node_modules', dependency), target);
  }
}

/** The first TypeScript of the README. */
function exampleOf(name: string): { readonly language: string; readonly text: string } {
  const readme = readFileSync(join(root, 'packages', name, 'README.md'), 'utf8');
  const [, language, text] = /^```(tsx?)\n([\s\S]*?)^```/m.exec(readme) ?? [];
  if (language === undefined || text === undefined) {
    throw new Error(`packages/${name}/README.md has no example.`);
  }
  return { language, text };
}

const BUNDLE_EXAMPLE = `import { bundlePage } from '@skein/ui/bundle';
const { script } = await bundlePage(new URL('example.tsx', import.meta.url));
if (script === '') throw new Error('The bundle is empty.');
`;

if (to === -1) rmSync(dist, { recursive: true, force: true });
const compiler = join(root, 'node_modules/typescript/bin/tsc');
execFileSync(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', dist], {
  cwd: root,
  stdio: 'inherit',
});
const names = readdirSync(join(root, 'packages'));
const { version } = manifestOf(root) as Manifest & { version: string };
const built = await Promise.all(names.map(build));
const folders = [
  ...built,
  ...repackOnnxRuntime(root, dist, version),
  // The image brings the package of its maker.
  ...(to === -1 ? repackNode(root, dist, version, process.argv.includes('--every-platform')) : []),
  await buildCommand(root, dist, repositoryOf('packages/cli')),
  buildStarter(root, dist, repositoryOf('apps/create-skein')),
];
const isCheck = process.argv.includes('--check');
if (isCheck || process.argv.includes('--tarballs')) packAll(folders);
if (isCheck) {
  let problems = 0;
  for (const folder of built) problems += await lint(folder);
  const only = process.argv.slice(2).filter((word) => !word.startsWith('--'));
  for (const name of only.length > 0 ? only : names) {
    const begun = performance.now();
    try {
      await installAlone(name);
      console.log(`${name}: ${((performance.now() - begun) / 1000).toFixed(1)} s`);
    } catch (error) {
      problems += 1;
      console.error(`${name}: ${(error as Error).message}`);
    }
  }
  if (problems > 0) process.exit(1);
}
console.log(`packages: ${folders.length} built in ${relative(process.cwd(), dist) || '.'}`);
if (process.argv.includes('--tarballs')) {
  console.log('Install them in a folder of yours, then start a node there:');
  console.log(`  npm install ${commandTarballs().join(' ')} && npx skein up --example ocr`);
}
