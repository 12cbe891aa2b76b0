#!/usr/bin/env node
// Writes the template into a new folder. Plain JavaScript without dependencies: it runs on Node 20.
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const given = process.argv[2];
if (given === undefined || given.startsWith('-')) {
  fail('The name of the folder is missing.', 'npm create skein@latest my-app');
}
const folder = resolve(given);
const name = basename(folder)
  .toLowerCase()
  .replaceAll(/[^a-z0-9-]+/g, '-')
  .replaceAll(/^-+|-+$/g, '');
if (name === '')
  fail(`${given} has no letter or digit for the name of a package.`, 'Choose another name.');
if (existsSync(folder) && readdirSync(folder).length > 0) {
  fail(`${folder} is not empty.`, 'Choose another folder, or empty that one.');
}

cpSync(fileURLToPath(new URL('../template', import.meta.url)), folder, { recursive: true });
// npm leaves these out of a package under their own names.
for (const hidden of ['gitignore', 'dockerignore']) {
  renameSync(join(folder, hidden), join(folder, `.${hidden}`));
}
const manifest = join(folder, 'package.json');
writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('"my-app"', JSON.stringify(name)));

console.log(`${given} is written. Next:

  cd ${given}
  npm install
  npm test
  npm start`);

function fail(message, fix) {
  process.stderr.write(`error: ${message}\n  fix: ${fix}\n`);
  process.exit(1);
}
