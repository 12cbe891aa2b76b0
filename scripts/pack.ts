/**
 * Builds the publishable packages under `dist/`, because Node runs TypeScript from the source tree
 * but refuses to inside `node_modules`.
 *
 * One `tsc` emits every package; this script adds the assets, a NOTICE of what the package needs, and a
 * package.json that points at the JavaScript and asks npm for provenance. `--check` then holds each package against publint and loads it from an installed
 * layout, in a folder that has no source.
 */
import { execFileSync } from 'node:child_process';
import {
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
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { docsStyle } from '@skein/console';
import { bundlePage } from '@skein/ui/bundle';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { closureOf, readLockFile } from './supply/lock-file.ts';
import { noticeOf } from './supply/notice.ts';

const root = dirname(import.meta.dirname);
const dist = join(root, 'dist');
const lock = readLockFile(root);

interface Manifest {
  name: string;
  exports: Record<string, string>;
  bin?: Record<string, string>;
  [field: string]: unknown;
}

const toJs = (path: string): string => path.replace(/\.ts$/, '.js');

/** npm holds provenance against it. Known where packages are published from; absent elsewhere. */
function repositoryOf(name: string): object {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository } = process.env;
  if (server === undefined || repository === undefined) return {};
  const url = `git+${server}/${repository}.git`;
  return { repository: { type: 'git', url, directory: `packages/${name}` } };
}

/** Worker entries are named by URL, which the compiler does not rewrite. */
function rewriteWorkerUrls(file: string): void {
  const text = readFileSync(file, 'utf8');
  const rewritten = text.replaceAll(/(new URL\(\s*['"`]\.[^'"`]*)\.ts(['"`])/g, '$1.js$2');
  if (rewritten !== text) writeFileSync(file, rewritten);
}

/** A package with a page carries it as a bundle, so that it needs no bundler where it is installed. */
async function bundlePages(source: string, target: string): Promise<void> {
  const entry = join(source, 'src/main.tsx');
  if (!existsSync(entry)) return;
  const { script, style } = await bundlePage(pathToFileURL(entry));
  for (const file of globSync('src/**/*.{js,d.ts,css}', { cwd: target })) {
    if (!/^src\/pages\.(js|d\.ts)$/.test(file)) rmSync(join(target, file));
  }
  const bundle = join(target, 'src/bundle');
  mkdirSync(bundle, { recursive: true });
  writeFileSync(join(bundle, 'console.js'), script);
  writeFileSync(join(bundle, 'console.css'), style);
  writeFileSync(join(bundle, 'docs.css'), docsStyle());
}

async function build(name: string): Promise<string> {
  const source = join(root, 'packages', name);
  const target = join(dist, name);
  const manifest = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as Manifest;
  const { devDependencies: _dev, scripts: _scripts, ...published } = manifest;
  const exports = Object.fromEntries(
    Object.entries(manifest.exports).map(([path, file]) => [
      path,
      file.endsWith('.ts') ? { types: file.replace(/\.ts$/, '.d.ts'), default: toJs(file) } : file,
    ]),
  );
  const assets = globSync('{src,bin}/**/*.{html,css,js,svg,proto,sql,py,sh,lua}', { cwd: source });
  for (const asset of assets) {
    mkdirSync(dirname(join(target, asset)), { recursive: true });
    cpSync(join(source, asset), join(target, asset));
  }
  for (const file of globSync('**/*.js', { cwd: target })) rewriteWorkerUrls(join(target, file));
  await bundlePages(source, target);
  cpSync(join(root, 'LICENSE'), join(target, 'LICENSE'));
  writeFileSync(
    join(target, 'NOTICE'),
    noticeOf(manifest.name, closureOf(lock, `packages/${name}`)),
  );
  const packed = {
    ...published,
    ...repositoryOf(name),
    exports,
    files: ['src', 'bin', 'LICENSE', 'NOTICE'],
    engines: { node: '>=22.18' },
    publishConfig: { access: 'public', provenance: true },
  };
  writeFileSync(join(target, 'package.json'), `${JSON.stringify(packed, null, 2)}\n`);
  return target;
}

/** Imports every export from copies under a `node_modules`, as a user's project would. */
function loadInstalled(names: readonly string[]): void {
  const project = mkdtempSync(join(tmpdir(), 'skein-pack-'));
  try {
    mkdirSync(join(project, 'node_modules', '@skein'), { recursive: true });
    for (const entry of readdirSync(join(root, 'node_modules'))) {
      if (entry === '@skein' || entry.startsWith('.')) continue;
      symlinkSync(join(root, 'node_modules', entry), join(project, 'node_modules', entry));
    }
    const specifiers: string[] = [];
    for (const name of names) {
      cpSync(join(dist, name), join(project, 'node_modules', '@skein', name), { recursive: true });
      const { exports } = JSON.parse(
        readFileSync(join(dist, name, 'package.json'), 'utf8'),
      ) as Manifest;
      // Components are for a bundler, which reads their style sheets.
      if (name !== 'ui') {
        specifiers.push(...Object.keys(exports).map((path) => join('@skein', name, path)));
      }
    }
    const code = specifiers
      .map((specifier) => `await import(${JSON.stringify(specifier)});`)
      .join('\n');
    writeFileSync(join(project, 'load.mjs'), `${code}\n`);
    execFileSync(process.execPath, ['load.mjs'], {
      cwd: project,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const cli = join(project, 'node_modules', '@skein', 'cli', 'bin', 'skein.js');
    if (existsSync(cli))
      execFileSync(process.execPath, [cli, 'version'], {
        cwd: project,
        stdio: ['ignore', 'ignore', 'inherit'],
      });
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
}

async function check(folders: readonly string[]): Promise<number> {
  let problems = 0;
  for (const folder of folders) {
    const { messages } = await publint({ pkgDir: folder, strict: true, pack: false });
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
    for (const message of messages) {
      problems += 1;
      console.error(`${relative(root, folder)}: ${formatMessage(message, manifest as never)}`);
    }
  }
  return problems;
}

rmSync(dist, { recursive: true, force: true });
execFileSync(
  process.execPath,
  [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'],
  {
    cwd: root,
    stdio: 'inherit',
  },
);
const names = readdirSync(join(root, 'packages'));
const folders = await Promise.all(names.map(build));
if (process.argv.includes('--check')) {
  const problems = await check(folders);
  loadInstalled(names);
  if (problems > 0) process.exit(1);
}
console.log(`packages: ${names.length} built in ${relative(process.cwd(), dist) || '.'}`);
