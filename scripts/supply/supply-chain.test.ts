/** The supply chain: the lock file, licenses, and every file that is fetched by name. */
import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bomOf } from './bom.ts';
import { testFolder } from '../testing/folder.ts';
import { packagesInImage } from './image-packages.ts';
import { closureOf, installed, productionPackages, readLockFile } from './lock-file.ts';
import { forbidden, licenseOf, noticeOf } from './notice.ts';

const root = dirname(dirname(import.meta.dirname));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const lock = readLockFile(root);
const packages = productionPackages(lock);

describe('the lock file', () => {
  it('has a hash of every package, and names no registry', () => {
    const unchecked = installed(lock).filter(
      ([, { integrity = '' }]) => !integrity.startsWith('sha512-'),
    );
    expect(unchecked).toEqual([]);
    const resolved = [...lock.values()].flatMap((entry) => entry.resolved ?? []);
    expect(resolved.filter((place) => place.includes(':') || place.includes('//'))).toEqual([]);
    expect(read('package-lock.json')).not.toMatch(/https?:\/\/[^"]*\/-\//);
  });

  it('runs no script of a package that was not reviewed', () => {
    const { allowScripts } = JSON.parse(read('package.json')) as {
      readonly allowScripts: Readonly<Record<string, boolean>>;
    };
    expect(Object.values(allowScripts).filter(Boolean)).toEqual([]);
    const scripted = [...lock].filter(([, entry]) => 'hasInstallScript' in entry);
    const names = scripted.map(([path]) => path.slice(path.lastIndexOf('node_modules/') + 13));
    expect(names.filter((name) => !(name in allowScripts))).toEqual([]);
  });
});

describe('licenses', () => {
  it('are all on the list', () => {
    expect(packages.length).toBeGreaterThan(100);
    expect(forbidden(packages)).toEqual([]);
  });

  it.each([
    'GPL-3.0-only',
    'LGPL-3.0-or-later',
    'MIT AND AGPL-3.0-only',
    'SEE LICENSE IN x',
    undefined,
  ])('of a new package that is under %s stop the build', (license) => {
    const added = { ...packages[0]!, name: 'added', version: '1.0.0', license };
    expect(forbidden([added])).toEqual([expect.stringContaining('added 1.0.0')]);
  });

  it('of alternatives need one that is allowed', () => {
    const added = { ...packages[0]!, name: 'added', license: '(GPL-2.0-only OR MIT)' };
    expect(forbidden([added])).toEqual([]);
  });

  it('are those that the installed packages state', () => {
    interface Stated {
      readonly version: string;
      readonly license?: string;
      readonly licenses?: readonly { readonly type: string }[];
    }
    const here = packages.flatMap((each) => {
      const [file] = globSync(`${each.path}/package.json`, { cwd: root });
      return file === undefined ? [] : [{ each, stated: JSON.parse(read(file)) as Stated }];
    });
    expect(here.length).toBeGreaterThan(100);
    for (const { each, stated } of here) {
      const license = stated.license ?? stated.licenses?.[0]?.type;
      expect([each.name, each.version, licenseOf(each)]).toEqual([
        each.name,
        stated.version,
        licenseOf({ name: '', license }),
      ]);
    }
  });

  it('are in NOTICE as `npm run sbom` writes it', () => {
    expect(read('NOTICE')).toBe(noticeOf('Skein', packages));
  });

  it('of one package are the packages that it alone needs', () => {
    const names = closureOf(lock, 'packages/api').map(({ name }) => name);
    expect(names).toContain('zod');
    expect(names).not.toContain('@grpc/grpc-js');
    expect(closureOf(lock, 'packages/server').map(({ name }) => name)).toContain('protobufjs');
  });
});

describe('the bill of materials', () => {
  const bom = bomOf(lock);

  it('has every package once, with its license and its hash, and everything it refers to', () => {
    const refs = bom.components.map((component) => component['bom-ref']);
    expect(new Set(refs).size).toBe(refs.length);
    for (const { name, version } of packages) {
      expect(refs).toContain(`pkg:npm/${name.replace('@', '%40')}@${version}`);
    }
    for (const { hashes = [], scope } of bom.components) {
      if (scope === undefined) continue;
      expect(hashes[0]?.content).toMatch(/^[0-9a-f]{128}$/);
    }
    const known = new Set([...refs, bom.metadata.component['bom-ref']]);
    for (const { ref, dependsOn } of bom.dependencies) {
      expect([ref, ...dependsOn].filter((each) => !known.has(each))).toEqual([]);
    }
    const server = bom.dependencies.find(({ ref }) => ref.startsWith('pkg:npm/%40skein/server@'));
    expect(server?.dependsOn).toContain('pkg:npm/%40skein/onnx@0.1.0');
  });

  it('of the image has what its folder has, its bundles and its pages, and nothing else', () => {
    const folder = testFolder();
    const write = (file: string, text: string): void => {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), text);
    };
    const { version } = packages.find(({ name }) => name === 'zod')!;
    write('node_modules/sharp/package.json', '{}');
    write(
      'node_modules/skein/node_modules/@skein/shared/LICENSES',
      `zod ${version}\nws 0.0.1\n\nTerms\n`,
    );
    const names = packagesInImage(lock, folder).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['sharp', 'zod', 'preact', 'onnxruntime-node']));
    expect(names.filter((name) => /^(bare-|@esbuild\/|@img\/|ws$)/.test(name))).toEqual([]);
    const listed = bomOf(lock, packagesInImage(lock, folder)).components.map(({ name }) => name);
    expect(names.filter((name) => !listed.includes(name.replace(/^@[^/]+\//, '')))).toEqual([]);
    expect(listed).not.toContain('bare-fs');
  });

  it('is the same for the same lock file', () => {
    expect(JSON.stringify(bomOf(readLockFile(root)))).toBe(JSON.stringify(bom));
    expect(bom.serialNumber).toMatch(
      /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-/,
    );
  });

  it('lists what npm itself finds in production', { timeout: 60_000 }, () => {
    const npm = execFileSync(
      'npm',
      ['sbom', '--sbom-format', 'cyclonedx', '--omit', 'dev', '--package-lock-only'],
      { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26, stdio: ['ignore', 'pipe', 'ignore'] },
    );
    const { components } = JSON.parse(npm) as { components: { purl: string }[] };
    const ours = new Set(bom.components.map(({ purl }) => purl));
    const missing = components
      .map(({ purl }) => purl.replace(/\?.*$/, ''))
      .filter(
        (purl) =>
          !/%40skein-(apps|examples)|create-skein@|skein-bench|%40skein\/(bench|fuzz)/.test(purl),
      );
    expect(missing.length).toBeGreaterThan(100);
    expect(missing.filter((purl) => !ours.has(purl))).toEqual([]);
  });
});

describe('what builds and checks Skein', () => {
  const workflows = globSync('.github/workflows/*.yml', { cwd: root });
  const dockerfiles = globSync('deploy/**/Dockerfile', { cwd: root });

  it('uses third-party actions by commit and images by digest, or none', () => {
    expect(workflows.length).toBeGreaterThan(1);
    for (const file of workflows) {
      const used = [...read(file).matchAll(/\buses:\s*(\S+)/g)].map(([, name]) => name!);
      const images = [...read(file).matchAll(/\b(?:image|container):\s*(\S+)/g)];
      expect(used.filter((name) => !/^\.\/|@[0-9a-f]{40}$/.test(name))).toEqual([]);
      expect(images.filter(([, name]) => !/@sha256:[0-9a-f]{64}$/.test(name!))).toEqual([]);
      expect(read(file)).not.toMatch(/options:.*--privileged/);
    }
  });

  it('builds images on a base with a digest, or on one that must be named', () => {
    expect(dockerfiles.length).toBeGreaterThan(1);
    for (const file of dockerfiles) {
      const bases = [...read(file).matchAll(/^FROM (\S+)/gm)].map(([, name]) => name);
      expect(bases.length).toBeGreaterThan(0);
      expect(bases.filter((name) => name !== '${BASE}' && !/@sha256:/.test(name!))).toEqual([]);
      expect(read(file)).not.toMatch(/^ARG BASE=(?!\S+@sha256:)/m);
    }
  });
});
