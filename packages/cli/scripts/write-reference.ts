/** Writes the file that is generated from the command table: docs/reference/cli.md. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GENERATED_FILES } from '../src/command-line/reference.ts';

const root = join(import.meta.dirname, '../../..');

for (const [path, render] of Object.entries(GENERATED_FILES)) {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), await render());
  console.error(`wrote ${path}`);
}
