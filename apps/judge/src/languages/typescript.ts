/**
 * TypeScript, by Node's own transform: types are erased and not checked, enums and namespaces work.
 * Imports of other `.ts` files of the submission, with or without their ending, are resolved to their
 * transformed files.
 */
import { runNode } from './javascript.ts';
import { GUEST_NODE, type Language } from './language.ts';
import { moduleEntry } from './modules.ts';

const extensions = ['.ts', '.mts', '.cts'];

const TRANSFORM = `
const { readFileSync, writeFileSync } = require('node:fs');
const { stripTypeScriptTypes } = require('node:module');
const { dirname, join } = require('node:path').posix;
const files = process.argv.slice(1);
const link = (file, specifier) => {
  const target = join(dirname(file), specifier);
  const ending = ['.ts', '.mts', '.cts', '/index.ts'].find((one) => files.includes(target + one));
  return ending === undefined ? specifier.replace(/(\\.[mc]?)ts$/, '$1js') : specifier + ending.replace(/ts$/, 'js');
};
for (const file of files) {
  try {
    const code = stripTypeScriptTypes(readFileSync(file, 'utf8'), { mode: 'transform' });
    const linked = code.replace(
      /((?:from|import|require)\\s*(?:\\(\\s*)?['"])(\\.{1,2}\\/[^'"]+)(['"])/g,
      (_, before, specifier, after) => before + link(file, specifier) + after,
    );
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
  entry: moduleEntry(extensions),
  compile: ({ sources }) => [GUEST_NODE, '--no-warnings', '-e', TRANSFORM, '--', ...sources],
  run: (place) => runNode(place, place.entry.replace(/ts$/, 'js')),
  pids: 64,
  grammar: 'typescript',
  admits: ['javascript'],
};
