/**
 * Writes the files that are generated from the endpoint and error tables: the reference pages and
 * the client's routes.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { GENERATED_FILES } from '../src/documents/generated-files.ts';

const root = join(import.meta.dirname, '../../..');

for (const [path, render] of Object.entries(GENERATED_FILES)) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), render());
  console.error(`wrote ${path}`);
}
