/**
 * TypeScript, by Node's own transform: types are erased and not checked, enums and namespaces work.
 * Imports of other `.ts` files of the submission are resolved to their transformed files.
 */
import { runNode } from './javascript.ts';
import { GUEST_NODE, type Language, mainFileEntry } from './language.ts';

const extensions = ['.ts', '.mts', '.cts'];

const TRANSFORM = `
const { readFileSync, writeFileSync } = require('node:fs');
const { stripTypeScriptTypes } = require('node:module');
for (const file of process.argv.slice(1)) {
  try {
    const code = stripTypeScriptTypes(readFileSync(file, 'utf8'), { mode: 'transform' });
    const linked = code.replace(/((?:from|import)\\s*\\(?\\s*['"]\\.[^'"]*\\.[mc]?)ts(['"])/g, '$1js$2');
    writeFileSync(file.replace(/ts$/, 'js'), linked);
  } catch (error) {
    console.error(file + ': ' + error.message);
    process.exitCode = 1;
  }
}`;

export const typescript: Language = {
  code: 'typescript',
  name: 'TypeScript',
  extensions,
  toolchain: { probe: [GUEST_NODE, '--version'], debianPackage: 'nodejs' },
  entry: mainFileEntry(extensions, ['main.ts']),
  compile: ({ sources }) => [GUEST_NODE, '--no-warnings', '-e', TRANSFORM, '--', ...sources],
  run: (place) => runNode(place, place.entry.replace(/ts$/, 'js')),
  pids: 64,
  grammar: 'typescript',
};
