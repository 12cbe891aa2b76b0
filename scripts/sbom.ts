/**
 * Writes NOTICE and the bill of materials from the lock file: `npm run sbom`. NOTICE is part of the
 * repository; `dist/skein.cdx.json` goes with a release. With `--image FOLDER` it writes a bill of the packages
 * in that folder alone, for the image.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bomOf } from './supply/bom.ts';
import { packagesInImage } from './supply/image-packages.ts';
import { productionPackages, readLockFile, type LockedPackage } from './supply/lock-file.ts';
import { forbidden, noticeOf } from './supply/notice.ts';

const root = dirname(import.meta.dirname);
const lock = readLockFile(root);
const packages = productionPackages(lock);
const refused = forbidden(packages);
if (refused.length > 0) {
  console.error(`Licenses that are not on the list of scripts/supply/notice.ts:`);
  for (const line of refused) console.error(`  ${line}`);
  process.exit(1);
}
const image = process.argv.indexOf('--image');
if (image === -1) {
  writeFileSync(join(root, 'NOTICE'), noticeOf('Skein', packages));
  const count = writeBill(join(root, 'dist'), packages);
  console.log(`NOTICE and dist/skein.cdx.json: ${count} components`);
} else {
  const folder = process.argv[image + 1]!;
  writeBill(folder, packagesInImage(lock, folder));
}

/** @returns the number of components. */
function writeBill(folder: string, others: readonly LockedPackage[]): number {
  mkdirSync(folder, { recursive: true });
  const bom = bomOf(lock, others);
  writeFileSync(join(folder, 'skein.cdx.json'), `${JSON.stringify(bom, null, 1)}\n`);
  return bom.components.length;
}
