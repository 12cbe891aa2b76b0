/** The packages of others in the container image, as `deploy/container/build.sh` stages it. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packagesIn } from '../packing/bundled-modules.ts';
import { closureOf, productionPackages, type LockedPackage, type LockFile } from './lock-file.ts';

/** Packages whose files are in packages of this project. */
const REPACKED = ['onnxruntime-common', 'onnxruntime-node', 'onnxruntime-web'];

/** @param folder with the image's `node_modules`. */
export function packagesInImage(lock: LockFile, folder: string): LockedPackage[] {
  const bundled = new Set(
    globSync('node_modules/**/LICENSES', { cwd: folder }).flatMap((file) =>
      packagesIn(readFileSync(join(folder, file), 'utf8')),
    ),
  );
  // Bundled in the pages, but for esbuild's builds of other platforms.
  const ofPages = new Set(
    closureOf(lock, 'packages/ui').flatMap(({ path, optional }) => (optional ? [] : path)),
  );
  return productionPackages(lock).filter(
    ({ path, name, version }) =>
      existsSync(join(folder, path, 'package.json')) ||
      bundled.has(`${name} ${version}`) ||
      ofPages.has(path) ||
      REPACKED.includes(name),
  );
}
