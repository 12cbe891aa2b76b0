/**
 * Packs ONNX Runtime again under this project's names, as npm installs it best: one package per platform,
 * and no install script.
 *
 * The package of its maker has the libraries of five platforms, 113 MB to download, and an install script
 * that fetches CUDA, which fails without access to another server than the registry. The
 * WebAssembly package has eight builds, and Skein uses one. License and version stay as they are.
 * docs/decisions/0041 has the figures.
 */
import { cpSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildSync } from 'esbuild';
import { licensesOf } from './bundled-modules.ts';

const NATIVE = 'onnxruntime-node';
const WEB = 'onnxruntime-web';
const LIBRARIES = 'bin/napi-v6';

/** Names of the originals, and of what a published package imports in their place. */
const REPLACED: Readonly<Record<string, string>> = {
  [NATIVE]: '@skein/onnxruntime',
  [WEB]: '@skein/onnxruntime-web',
};

/** The packages of its maker come without the text that the license asks to pass on. */
const LICENSE = `MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
`;

interface Original {
  readonly license: string;
  readonly version: string;
  readonly repository: object;
  readonly dependencies: Readonly<Record<string, string>>;
}

/** The dependencies of a published package, which has `version` for all packages of this project. */
export function repackedDependencies(
  dependencies: Readonly<Record<string, string>>,
  version: string,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(dependencies).map(([name, range]) =>
      name in REPLACED ? [REPLACED[name]!, version] : [name, range],
    ),
  );
}

/** Renames the originals in the imports of a built file. */
export function renameImports(text: string): string {
  return text.replaceAll(
    /(['"`])(onnxruntime-(?:node|web))(?=['"`/])/g,
    (_, quote: string, name: string) => `${quote}${REPLACED[name]!}`,
  );
}

/** Writes the packages into `dist`. @returns their folders. */
export function repackOnnxRuntime(root: string, dist: string, version: string): string[] {
  const native = join(root, 'node_modules', NATIVE);
  const platforms = globSync('*/*', { cwd: join(native, LIBRARIES) }).toSorted();
  return [
    repackNative(native, dist, version, platforms),
    ...platforms.map((platform) => repackPlatform(native, dist, version, platform)),
    repackWeb(join(root, 'node_modules', WEB), dist, version),
  ];
}

const packageOf = (platform: string): string => `onnxruntime-${platform.replace('/', '-')}`;

/** The JavaScript, which finds the library in the package of its platform. */
function repackNative(
  source: string,
  dist: string,
  version: string,
  platforms: readonly string[],
): string {
  const folder = copy(source, join(dist, 'onnxruntime'), 'dist/*.{js,d.ts}');
  const binding = join(folder, 'dist/binding.js');
  const text = readFileSync(binding, 'utf8');
  const named = '`../bin/napi-v6/${process.platform}/${process.arch}/';
  if (!text.includes(named)) throw new Error(`${binding} finds its library in another way.`);
  const library = `\`@skein/onnxruntime-\${process.platform}-\${process.arch}/${LIBRARIES}/\${process.platform}/\${process.arch}/`;
  writeFileSync(binding, text.replace(named, library));
  const { dependencies } = originalOf(source);
  return manifest(source, folder, version, {
    description: 'ONNX Runtime for Node, with its library in a package per platform.',
    main: 'dist/index.js',
    types: 'dist/index.d.ts',
    files: ['dist'],
    dependencies: { 'onnxruntime-common': dependencies['onnxruntime-common'] },
    optionalDependencies: Object.fromEntries(
      platforms.map((platform) => [`@skein/${packageOf(platform)}`, version]),
    ),
  });
}

function repackPlatform(source: string, dist: string, version: string, platform: string): string {
  const [os, cpu] = platform.split('/');
  const folder = copy(source, join(dist, packageOf(platform)), `${LIBRARIES}/${platform}/*`);
  // Only there is a provider for CUDA, and a script that downloads it when an operator asks.
  const hasCuda = platform === 'linux/x64';
  if (hasCuda) bundleScript(source, folder);
  return manifest(source, folder, version, {
    description: `ONNX Runtime's library for ${platform}.`,
    files: hasCuda ? ['bin', 'script'] : ['bin'],
    os: [os],
    cpu: [cpu],
  });
}

/** With what it imports, 14 packages that npm would install for each user, and their licenses. */
function bundleScript(source: string, folder: string): void {
  const root = dirname(dirname(source));
  const { metafile } = buildSync({
    entryPoints: [join(source, 'script/install.js')],
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    outfile: join(folder, 'script/install.js'),
    metafile: true,
    logLevel: 'error',
  });
  writeFileSync(join(folder, 'script/LICENSES'), licensesOf(root, Object.keys(metafile.inputs)));
}

/** The build for CPUs alone. */
function repackWeb(source: string, dist: string, version: string): string {
  const files =
    'dist/{ort.wasm.bundle.min.mjs,ort.wasm.min.{mjs,js},ort-wasm-simd-threaded.{mjs,wasm}}';
  const folder = copy(source, join(dist, 'onnxruntime-web'), files);
  writeFileSync(join(folder, 'types.d.ts'), "export * from 'onnxruntime-common';\n");
  const { exports, dependencies } = JSON.parse(
    readFileSync(join(source, 'package.json'), 'utf8'),
  ) as { exports: Record<string, unknown>; dependencies: Record<string, string> };
  const kept = ['./wasm', './ort-wasm-simd-threaded.wasm', './ort-wasm-simd-threaded.mjs'];
  return manifest(source, folder, version, {
    description: "ONNX Runtime's WebAssembly build for CPUs.",
    exports: Object.fromEntries(kept.map((path) => [path, exports[path]])),
    files: ['dist', 'types.d.ts'],
    dependencies: { 'onnxruntime-common': dependencies['onnxruntime-common'] },
  });
}

function copy(source: string, folder: string, files: string): string {
  for (const file of globSync(files, { cwd: source })) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(join(source, file), join(folder, file));
  }
  return folder;
}

const originalOf = (source: string): Original =>
  JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as Original;

function manifest(source: string, folder: string, version: string, fields: object): string {
  const { license, version: original } = originalOf(source);
  const name = `@skein/${folder.slice(folder.lastIndexOf('/') + 1)}`;
  writeFileSync(
    join(folder, 'README.md'),
    `# ${name}\n\nONNX Runtime ${original} by Microsoft, under its MIT license, packed again for Skein: one package per platform, and no install script.\n`,
  );
  writeFileSync(join(folder, 'LICENSE'), LICENSE);
  const packed = {
    name,
    version,
    license,
    ...fields,
    publishConfig: { access: 'public', provenance: true },
  };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(packed, null, 2)}\n`);
  return folder;
}
