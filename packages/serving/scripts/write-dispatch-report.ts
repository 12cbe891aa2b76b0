/** Writes the tables and pictures of docs/concepts/dispatch.md: half a minute of simulation. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { splice, writeReport } from '../src/dispatch/testing/report.ts';

const docs = join(import.meta.dirname, '../../../docs');
const page = join(docs, 'concepts/dispatch.md');
const { markdown, pictures } = writeReport();
writeFileSync(page, splice(readFileSync(page, 'utf8'), markdown));
for (const [name, svg] of Object.entries(pictures)) {
  writeFileSync(join(docs, 'images', name), svg);
}
