/**
 * Writes NOTICE and the bill of materials from the lock file: `npm run sbom`. NOTICE is part of the
 * repository; `dist/skein.cdx.json` goes with a release and into the image.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bomOf } from './supply/bom.ts';
import { productionPackages, readLockFile } from './supply/lock-file.ts';
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
writeFileSync(join(root, 'NOTICE'), noticeOf('Skein', packages));
mkdirSync(join(root, 'dist'), { recursive: true });
const bom = bomOf(lock);
writeFileSync(join(root, 'dist', 'skein.cdx.json'), `${JSON.stringify(bom, null, 1)}\n`);
console.log(`NOTICE and dist/skein.cdx.json: ${bom.components.length} components`);
