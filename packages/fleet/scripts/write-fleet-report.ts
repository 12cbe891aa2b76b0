/** Writes the tables and the picture of docs/concepts/fleet.md: seconds of simulation. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { splice, writeReport } from '../src/testing/report.ts';

const docs = join(import.meta.dirname, '../../../docs');
const page = join(docs, 'concepts/fleet.md');
const { markdown, pictures } = writeReport();
writeFileSync(page, splice(readFileSync(page, 'utf8'), markdown));
for (const [name, svg] of Object.entries(pictures)) {
  writeFileSync(join(docs, 'images', name), svg);
}
