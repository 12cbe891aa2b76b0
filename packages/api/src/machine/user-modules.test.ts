import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';

/** Imports it in a process whose working folder is `cwd`: the runner of tests resolves imports in its own way. */
function load(name: string, cwd: string): string {
  const module = join(import.meta.dirname, 'user-modules.ts');
  const code = `
    const { importOptional } = await import(${JSON.stringify(module)});
    const loaded = importOptional(${JSON.stringify(name)}, 'Tests', 'file://${module}');
    await loaded.then(({ value }) => console.log(value), ({ code, message }) => console.log(code, message));`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', code], { cwd, encoding: 'utf8' })
    .stdout;
}

it('finds an optional package in the working folder', () => {
  const folder = testFolder();
  const at = join(folder, 'node_modules/added-by-a-user');
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, 'package.json'), '{ "type": "module", "exports": "./index.js" }');
  writeFileSync(join(at, 'index.js'), 'export const value = 7;');
  expect(load('added-by-a-user', folder)).toBe('7\n');
});

it('names the command that adds a missing package, and where', () => {
  const folder = testFolder();
  expect(load('added-by-no-user', folder)).toBe(
    `PACKAGE_MISSING Tests need the package added-by-no-user, which is not installed here. \`npm install added-by-no-user\` adds it to ${folder}.\n`,
  );
});
