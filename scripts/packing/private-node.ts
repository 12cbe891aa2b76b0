/**
 * Packs the binary of Node 24 again under this project's name, one package per platform. The package of its maker
 * has npm, headers and manuals too, 8 MB more to download. npm skips the optional package where the machine's
 * own Node runs Skein, because `engines` excludes that Node.
 *
 * For Linux the binary is compressed by Brotli, 10 MB less than npm's gzip. `node/node.sh` stands in its place until
 * the first start, which another Node exists for. On Windows only a program can have this name.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import { NEEDED } from './older-node.ts';

interface Original {
  readonly version: string;
  readonly license: string;
  readonly os: string;
  readonly cpu: string;
}

const HERE = join(import.meta.dirname, 'node');
/** Higher levels take several minutes. */
const QUALITY = 9;
/** Bytes of the window, as a power of two: the largest one that every Brotli reads. */
const WINDOW = 24;
const CACHE = 'node_modules/.cache/packing';

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
    if (existsSync(installed)) return repack(root, installed, join(dist, name), version);
    if (!everyPlatform) return [];
    const fetched = fetchPackage(root, `${name}@${original}`);
    return repack(root, fetched, join(dist, name), version);
  });
}

/** npm installs no package of another platform. @returns its folder, which stays for the next time. */
function fetchPackage(root: string, spec: string): string {
  const folder = join(root, CACHE, spec);
  if (existsSync(join(folder, 'package/package.json'))) return join(folder, 'package');
  mkdirSync(folder, { recursive: true });
  const to = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder, spec];
  const [tarball] = execFileSync('npm', to, { encoding: 'utf8' }).trim().split('\n');
  execFileSync('tar', ['-xzf', join(folder, tarball!), '-C', folder]);
  return join(folder, 'package');
}

function repack(root: string, source: string, folder: string, version: string): string {
  const name = basename(folder);
  const original = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as Original;
  const isProgram = original.os === 'win32';
  const binary = isProgram ? 'bin/node.exe' : 'bin/node';
  mkdirSync(join(folder, 'bin'), { recursive: true });
  cpSync(join(source, 'LICENSE'), join(folder, 'LICENSE'));
  if (isProgram) cpSync(join(source, binary), join(folder, binary));
  const sha256 = isProgram ? undefined : compress(root, join(source, binary), folder);
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
    files: ['bin', ...(isProgram ? [] : ['node.br', 'unpack.js'])],
    os: [original.os],
    cpu: [original.cpu],
    engines: { node: `<${NEEDED}` },
    publishConfig: { access: 'public', provenance: true },
    ...(isProgram ? {} : { skein: { sha256 } }),
  };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return folder;
}

/** Writes the compressed binary, what unpacks it, and the script in its place. @returns its SHA-256. */
function compress(root: string, binary: string, folder: string): string {
  const bytes = readFileSync(binary);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  cpSync(compressed(root, bytes, sha256), join(folder, 'node.br'));
  cpSync(join(HERE, 'unpack.js'), join(folder, 'unpack.js'));
  const script = readFileSync(join(HERE, 'node.sh'), 'utf8');
  const named = script.replace('NAME', `${basename(folder)}-${sha256.slice(0, 12)}`);
  writeFileSync(join(folder, 'bin/node'), named, { mode: 0o755 });
  return sha256;
}

/** To compress takes a minute: the file stays for the next time. @returns its path. */
function compressed(root: string, bytes: Buffer, sha256: string): string {
  const folder = join(root, CACHE, 'brotli');
  const path = join(folder, `${sha256}-${QUALITY}`);
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true });
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: QUALITY,
    [constants.BROTLI_PARAM_LGWIN]: WINDOW,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  };
  writeFileSync(`${path}.part`, brotliCompressSync(bytes, { params }));
  renameSync(`${path}.part`, path);
  return path;
}
