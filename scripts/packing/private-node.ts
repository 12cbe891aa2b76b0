/**
 * Packs the binary of Node 24 again under this project's name, one package per platform. The package of its maker
 * has npm, headers and manuals too, 8 MB more to download. npm skips the optional package where the machine's
 * own Node runs Skein, because `engines` excludes that Node.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NEEDED } from './older-node.ts';

interface Original {
  readonly version: string;
  readonly license: string;
  readonly os: string;
  readonly cpu: string;
}

/** The dependencies of `skein` in place of the originals, which the root has for a clone. */
export const repackedNodes = (
  originals: Readonly<Record<string, string>>,
  version: string,
): Record<string, string> =>
  Object.fromEntries(Object.keys(originals).map((name) => [`@skein/${name}`, version]));

/**
 * Writes the packages into `dist`: the one of this machine, or every one, which downloads the others.
 *
 * @returns their folders.
 */
export function repackNode(
  root: string,
  dist: string,
  version: string,
  everyPlatform: boolean,
): string[] {
  const { optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly optionalDependencies: Readonly<Record<string, string>>;
  };
  return Object.entries(optionalDependencies).flatMap(([name, original]) => {
    const installed = join(root, 'node_modules', name);
    if (existsSync(installed)) return repack(installed, join(dist, name), name, version);
    if (!everyPlatform) return [];
    const fetched = fetchPackage(root, `${name}@${original}`);
    return repack(fetched, join(dist, name), name, version);
  });
}

/** npm installs no package of another platform. @returns its folder, which stays for the next time. */
function fetchPackage(root: string, spec: string): string {
  const folder = join(root, 'node_modules/.cache/packing', spec);
  if (existsSync(join(folder, 'package/package.json'))) return join(folder, 'package');
  mkdirSync(folder, { recursive: true });
  const to = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder, spec];
  const [tarball] = execFileSync('npm', to, { encoding: 'utf8' }).trim().split('\n');
  execFileSync('tar', ['-xzf', join(folder, tarball!), '-C', folder]);
  return join(folder, 'package');
}

function repack(source: string, folder: string, name: string, version: string): string {
  const original = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as Original;
  const binary = original.os === 'win32' ? 'bin/node.exe' : 'bin/node';
  mkdirSync(join(folder, 'bin'), { recursive: true });
  for (const file of [binary, 'LICENSE']) cpSync(join(source, file), join(folder, file));
  writeFileSync(
    join(folder, 'README.md'),
    `# @skein/${name}\n\nThe unchanged binary of Node ${original.version} for ${original.os} ${original.cpu}, for a machine whose own Node does not run Skein.\n`,
  );
  const manifest = {
    name: `@skein/${name}`,
    version,
    description: `Node ${original.version} for ${original.os} ${original.cpu}, for Skein.`,
    license: original.license,
    bin: { node: binary },
    files: ['bin'],
    os: [original.os],
    cpu: [original.cpu],
    engines: { node: `<${NEEDED}` },
    publishConfig: { access: 'public', provenance: true },
  };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return folder;
}
