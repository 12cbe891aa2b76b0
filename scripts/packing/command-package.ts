/**
 * The two packages that a user installs by name: `skein` carries the command with a Node that runs it,
 * and `create-skein` writes a new project.
 */
import { cpSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { transformSync } from 'esbuild';
import { bundleModules, KEPT_APART } from './bundled-modules.ts';
import { repackedNodes } from './private-node.ts';

interface Root {
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

const rootOf = (root: string): Root =>
  JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Root;

/** Dependencies of an example that `@skein/cli` carries. */
export function needsOfExample(folder: string): Readonly<Record<string, string>> {
  const { dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  return dependencies;
}

const manifestIn = (folder: string) =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>;
    readonly optionalDependencies: Readonly<Record<string, string>>;
  };

const PUBLISHED = { access: 'public', provenance: true };

/** A module that is named by URL, which neither compiler rewrites. */
export const rewriteUrls = (text: string): string =>
  text.replaceAll(/(new URL\(\s*['"`]\.[^'"`]*)\.ts(['"`])/g, '$1.js$2');

const KEEP_IMPORTS = {
  loader: 'ts',
  target: 'esnext',
  tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
} as const;

/** An example as JavaScript, with the files that it sends. */
export function writeExample(source: string, target: string): void {
  const files = globSync(['*.ts', 'images/*.{png,jpg,webp}'], { cwd: source });
  for (const file of files.filter((each) => !each.endsWith('.test.ts'))) {
    const to = join(target, file.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(to), { recursive: true });
    if (!file.endsWith('.ts')) cpSync(join(source, file), to);
    else {
      const { code } = transformSync(readFileSync(join(source, file), 'utf8'), KEEP_IMPORTS);
      writeFileSync(to, rewriteUrls(code.replaceAll(/(from "\.[^"]*)\.ts"/g, '$1.js"')));
    }
  }
}

const COMMAND = `#!/usr/bin/env node
import { launch } from '@skein/cli/launch';

await launch(new URL('skein.js', import.meta.resolve('@skein/cli/launch')).href);
`;

/**
 * The package has all JavaScript of the command in its own `node_modules`, and depends only on packages with
 * native code or data.
 *
 * @returns the folder of `skein` in `dist`.
 */
export async function buildCommand(
  root: string,
  dist: string,
  repository: object,
): Promise<string> {
  const { version, description, license, optionalDependencies } = rootOf(root);
  const folder = join(dist, 'skein');
  mkdirSync(join(folder, 'bin'), { recursive: true });
  writeFileSync(join(folder, 'bin/skein.js'), COMMAND, { mode: 0o755 });
  cpSync(join(root, 'packages/cli/README.md'), join(folder, 'README.md'));
  const bundled = await bundleModules(root, dist, folder);
  const { dependencies } = manifestIn(join(dist, 'cli'));
  const { dependencies: ofServing } = manifestIn(join(dist, 'serving'));
  const { optionalDependencies: libraries } = manifestIn(join(dist, 'onnxruntime'));
  const needs = { ...ofServing, ...dependencies };
  const apart = Object.fromEntries(KEPT_APART.map((name) => [name, needs[name]]));
  return writeManifest(root, folder, {
    name: 'skein',
    version,
    description,
    license,
    type: 'module',
    bin: { skein: 'bin/skein.js' },
    files: ['bin', 'LICENSE', 'NOTICE'],
    engines: { node: '>=20.6' },
    dependencies: { ...bundled, ...apart },
    bundleDependencies: Object.keys(bundled),
    // Node 24 for a machine with an older one, as in a clone.
    optionalDependencies: { ...repackedNodes(optionalDependencies, version), ...libraries },
    ...repository,
    publishConfig: PUBLISHED,
  });
}

/** @returns the folder of `create-skein` in `dist`. */
export function buildStarter(root: string, dist: string, repository: object): string {
  const source = join(root, 'apps/create-skein');
  const folder = join(dist, 'create-skein');
  for (const each of ['bin', 'template', 'README.md']) {
    cpSync(join(source, each), join(folder, each), { recursive: true });
  }
  const { private: _private, ...manifest } = JSON.parse(
    readFileSync(join(source, 'package.json'), 'utf8'),
  ) as Readonly<Record<string, unknown>>;
  return writeManifest(root, folder, {
    ...manifest,
    files: ['bin', 'template', 'LICENSE', 'NOTICE'],
    ...repository,
    publishConfig: PUBLISHED,
  });
}

function writeManifest(root: string, folder: string, manifest: object): string {
  for (const each of ['LICENSE', 'NOTICE']) cpSync(join(root, each), join(folder, each));
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return folder;
}
