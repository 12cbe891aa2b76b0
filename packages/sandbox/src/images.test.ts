/** Which roots a guest may be shown, and which of them an untrusted caller may name. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { testFolder } from '../../../scripts/testing/folder.ts';
import { imageUnknown } from './docker/container/container.ts';
import { dockerReference, imageFolder, isFolderImage, registeredName } from './images.ts';

let folder: string;
beforeAll(() => {
  folder = realpathSync(testFolder());
  mkdirSync(join(folder, 'tools', 'usr'), { recursive: true });
  mkdirSync(join(folder, 'data', '.skein'), { recursive: true });
  symlinkSync('/', join(folder, 'everything'));
  symlinkSync(join(folder, 'tools'), join(folder, 'tools.v1'));
  vi.stubEnv('SKEIN_IMAGES', folder);
});
afterAll(() => vi.unstubAllEnvs());

test('a name is a tag of Docker and a part of a path', () => {
  for (const name of ['judge', 'tools.v1', 'a..b', '_x', 'A-1']) {
    expect(registeredName(name)).toBe(name);
    expect(registeredName(`skein-sandbox:${name}`)).toBe(name);
    expect(dockerReference(name)).toBe(`skein-sandbox:${name}`);
  }
  expect(dockerReference('debian:13')).toBe('debian:13');
  for (const image of ['../containers/x', 'a?b', 'a b', '/']) {
    expect(() => dockerReference(image), image).toThrow(/not a name of a Docker image/);
  }
  const others = [
    '/',
    '/judge',
    '..',
    '.',
    '.x',
    '-x',
    'a/b',
    'debian:13',
    'a b',
    'a\nb',
    'a\0',
    '',
  ];
  const long = ['x'.repeat(129), 'skein-sandbox:', 'skein-sandbox:a:b', 'x/skein-sandbox:a', 'ä'];
  for (const image of [...others, ...long, `sha256:${'a'.repeat(64)}`, 'unix:///run/docker.sock']) {
    expect(registeredName(image), image).toBeUndefined();
  }
});

test('a folder has the name of an image', () => {
  expect(isFolderImage('tools')).toBe(true);
  expect(isFolderImage('skein-sandbox:tools')).toBe(true);
  expect(isFolderImage('nothing')).toBe(false);
  expect(imageFolder('tools', [])).toBe(join(folder, 'tools'));
  expect(imageFolder('tools.v1', [])).toBe(join(folder, 'tools'));
  expect(imageFolder(join(folder, 'tools'), [])).toBe(join(folder, 'tools'));
  for (const image of ['nothing', 'relative/path', `${folder}/nothing`, '/etc/passwd', '/a\0b']) {
    expect(() => imageFolder(image, []), image).toThrow(
      expect.objectContaining({ code: 'SANDBOX_IMAGE_UNKNOWN' }),
    );
  }
});

test('a profile that is missing names the command that makes it', () => {
  const command =
    /`sudo deploy\/sandbox\/base-image\.sh judge --to \S+\/judge` makes it for bubblewrap\./;
  expect(() => imageFolder('judge', [])).toThrow(command);
  expect(() => imageFolder('nothing', [])).not.toThrow(/base-image/);
  expect(imageUnknown('skein-sandbox:judge-all').message).toContain(
    'base-image.sh judge-all` makes',
  );
  expect(imageUnknown('debian:13').message).toBe('The Docker daemon has no image debian:13.');
});

test('the script that makes an image replaces no folder with other things in it', () => {
  const place = join(folder, 'of-alice');
  mkdirSync(place);
  writeFileSync(join(place, 'thesis.tex'), '');
  const script = fileURLToPath(new URL('../../../deploy/sandbox/base-image.sh', import.meta.url));
  for (const at of [place, join(place, 'thesis.tex')]) {
    const { status, stderr } = spawnSync('bash', [script, 'minimal', '--to', at], {
      encoding: 'utf8',
      env: { ...process.env, SKEIN_REBUILD: '1' },
    });
    expect([status, stderr]).toEqual([1, expect.stringContaining(`${at} is not an image`)]);
  }
  expect(existsSync(join(place, 'thesis.tex'))).toBe(true);
});

describe('a folder that would show the host', () => {
  const forbidden = expect.objectContaining({ code: 'SANDBOX_IMAGE_FORBIDDEN' });

  test.each([
    '/',
    '//',
    '/etc',
    '/var',
    '/home',
    '/root',
    '/usr',
    '/proc/self/root',
    '/dev',
    '/run',
  ])('is no image: %s', (image) => expect(() => imageFolder(image, [])).toThrow(forbidden));

  test('is not an image behind a link either, even when it is registered', () => {
    expect(() => imageFolder('everything', [])).toThrow(forbidden);
    expect(() => imageFolder(join(folder, 'everything'), [])).toThrow(forbidden);
  });

  test('is not an image when it contains the data of the node, or lies in them', () => {
    const data = join(folder, 'data', '.skein');
    for (const image of [folder, join(folder, 'data'), data]) {
      expect(() => imageFolder(image, [data]), image).toThrow(forbidden);
    }
    expect(imageFolder('tools', [data])).toBe(join(folder, 'tools'));
  });
});
