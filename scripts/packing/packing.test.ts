/** The rewriting of sources and manifests for published packages; `npm run front-door` installs the result. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { absentFiles } from '../front-door/named-files.ts';
import { testFolder } from '../testing/folder.ts';
import { bundleModules, packageOf } from './bundled-modules.ts';
import { buildStarter, rewriteUrls, writeExample } from './command-package.ts';
import { checkOlderNode, enginesOf, guardEntries } from './older-node.ts';
import { renameImports, repackedDependencies } from './onnx-runtime.ts';

const ROOT = join(import.meta.dirname, '../..');

function writeFiles(folder: string, files: Readonly<Record<string, string | object>>): string {
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  }
  return folder;
}

const read = (...path: string[]): string => readFileSync(join(...path), 'utf8');
const manifestIn = (...path: string[]) =>
  JSON.parse(read(...path, 'package.json')) as Readonly<Record<string, unknown>>;

it('names compiled modules in URLs, and leaves addresses alone', () => {
  expect(rewriteUrls("new URL('./worker.ts', import.meta.url)")).toBe(
    "new URL('./worker.js', import.meta.url)",
  );
  const others = "new URL('https://host/a.ts'); import './a.ts';";
  expect(rewriteUrls(others)).toBe(others);
});

it('imports ONNX Runtime by the names of the packages that have it', () => {
  const before =
    "import a from 'onnxruntime-node'; resolve('onnxruntime-web/x.wasm'); // onnxruntime-node";
  expect(renameImports(before)).toBe(
    "import a from '@skein/onnxruntime'; resolve('@skein/onnxruntime-web/x.wasm'); // onnxruntime-node",
  );
  expect(repackedDependencies({ 'onnxruntime-node': '1.30.0', zod: '4.0.0' }, '0.1.0')).toEqual({
    '@skein/onnxruntime': '0.1.0',
    zod: '4.0.0',
  });
});

it('writes an example as JavaScript, without its tests', () => {
  const [source, target] = [testFolder(), testFolder()];
  writeFiles(source, {
    'deploy.ts': "import { a } from './a.ts'; export const b: number = a;",
    'a.ts': 'export const a = 1;',
    'a.test.ts': 'fails',
    'images/x.png': 'PNG',
  });
  writeExample(source, target);
  expect(read(target, 'deploy.js')).toMatch(/from "\.\/a\.js";\nexport const b = a;/);
  expect(read(target, 'images/x.png')).toBe('PNG');
  expect(() => read(target, 'a.test.js')).toThrow('ENOENT');
});

it('checks the version of Node before anything else of an entry point', () => {
  const folder = writeFiles(testFolder(), { 'src/deep/entry.js': 'export {};\n' });
  guardEntries('server', folder, ['./src/deep/entry.js']);
  expect(read(folder, 'src/deep/entry.js')).toBe("import '../node-version.js';\nexport {};\n");
  expect(read(folder, 'src/node-version.js')).toContain('@skein/server needs Node 22.18 or newer');
  expect(enginesOf('server')).not.toEqual(enginesOf('api'));
});

it('finds an entry point that ends in an older Node with another message', () => {
  const project = writeFiles(testFolder(), {
    'node_modules/good/index.js':
      "throw new Error('@skein/x needs Node 22.18 or newer; this is Node 20.0.0.');",
    'node_modules/good/package.json': { type: 'module', exports: './index.js' },
    'node_modules/bad/index.js': 'missing();',
    'node_modules/bad/package.json': { type: 'module', exports: './index.js' },
  });
  checkOlderNode(process.execPath, ['good'], project);
  expect(() => checkOlderNode(process.execPath, ['bad'], project)).toThrow(
    /missing is not defined/,
  );
});

it('publishes the starter as it is, and no longer private', () => {
  const dist = testFolder();
  buildStarter(ROOT, dist, {});
  expect(manifestIn(dist, 'create-skein')).not.toHaveProperty('private');
  expect(read(dist, 'create-skein/template/src/main.ts')).toBe(
    read(ROOT, 'apps/create-skein/template/src/main.ts'),
  );
});

it('bundles packages of others as one module for each import, with the exports that Node gives', async () => {
  const [root, dist, folder] = [testFolder(), testFolder(), testFolder()];
  writeFiles(dist, {
    'cli/package.json': {
      name: '@skein/cli',
      version: '0.1.0',
      type: 'module',
      exports: { '.': { types: './src/main.d.ts', default: './src/main.js' } },
      dependencies: { '@skein/ui': '0.1.0' },
    },
    'cli/src/main.js':
      "import all, { named, self } from 'common'; import { same } from 'modern/sub'; import 'node:fs'; import 'sharp';",
    'cli/src/main.d.ts': 'export {};',
  });
  writeFiles(root, {
    'packages/cli/package.json': {},
    'packages/server/package.json': {},
    'node_modules/common/package.json': { name: 'common', version: '1.0.0', license: 'MIT' },
    'node_modules/common/index.js': 'exports.named = 1; exports.self = exports;',
    'node_modules/common/LICENSE': 'The terms of common',
    'node_modules/modern/package.json': {
      name: 'modern',
      version: '2.0.0',
      type: 'module',
      exports: { './sub': './sub.js' },
    },
    'node_modules/modern/sub.js': "import common from 'common'; export const same = common;",
    'node_modules/onnxruntime-common/package.json': {
      name: 'onnxruntime-common',
      version: '1.30.0',
      type: 'commonjs',
    },
    'node_modules/onnxruntime-common/dist/esm/index.js': 'export class Tensor {}',
    'node_modules/onnxruntime-common/dist/esm/package.json': { type: 'module' },
    'node_modules/pino-pretty/package.json': { name: 'pino-pretty', version: '3.0.0' },
    'node_modules/pino-pretty/index.js': 'module.exports = () => __dirname;',
  });
  expect(await bundleModules(root, dist, folder)).toEqual({
    '@skein/cli': '0.1.0',
    '@skein/shared': '1.0.0',
    common: '1.0.0',
    modern: '2.0.0',
    'onnxruntime-common': '1.30.0',
    'pino-pretty': '3.0.0',
  });
  const modules = join(folder, 'node_modules');
  expect(manifestIn(modules, '@skein/cli')).not.toHaveProperty('dependencies');
  expect(() => read(modules, '@skein/cli/src/main.d.ts')).toThrow('ENOENT');
  expect(read(modules, '@skein/shared/LICENSES')).toContain('common 1.0.0\n\nThe terms of common');

  const load = (path: string) =>
    import(/* @vite-ignore */ pathToFileURL(join(modules, path)).href) as Promise<never>;
  const bundled: { default: object; named: number; self: object } = await load('common/index.js');
  expect(bundled.named).toBe(1);
  expect(bundled.self).toBe(bundled.default);
  const { same }: { same: object } = await load('modern/sub.js');
  expect(same).toBe(bundled.default);
  // ONNX Runtime passes its exports on, and Node reads their names from the text.
  const common: object = await load('onnxruntime-common/index.js');
  expect(common).toHaveProperty('Tensor');
});

it('finds the package in an import', () => {
  expect(packageOf('@bufbuild/protobuf/wire')).toBe('@bufbuild/protobuf');
  expect(packageOf('undici/lib/core/connect.js')).toBe('undici');
});

it('names files of modules that a package does not contain', () => {
  const folder = writeFiles(testFolder(), {
    'cli/src/convert.js': [
      "const SCRIPT = new URL('to-onnx.py', import.meta.url);",
      "const FOLDER = new URL('./scripts/', import.meta.url);",
      "const picture = join(import.meta.dirname, 'images/a.png');",
      'const part = new URL(`${name}.py`, import.meta.url);',
      "const page = new URL('https://host/a.py', import.meta.url);",
    ].join('\n'),
    'ui/src/pages.js': "new URL('./main.tsx', import.meta.url)",
    'ui/src/bundle/worker.js': "new URL('a.wasm', import.meta.url)",
  });
  expect(absentFiles(folder)).toEqual([
    'cli/src/convert.js: ./scripts/',
    'cli/src/convert.js: images/a.png',
    'cli/src/convert.js: to-onnx.py',
  ]);
  writeFiles(folder, {
    'cli/src/to-onnx.py': 'pass',
    'cli/src/scripts/a.lua': '',
    'cli/src/images/a.png': '',
  });
  expect(absentFiles(folder)).toEqual([]);
});
