/**
 * The software bill of materials, as CycloneDX 1.6 in JSON: every package that a user of Skein gets,
 * with its license, the hash that npm checks, and what it depends on. A function of the lock file
 * alone, without time or chance, so that two builds of one commit give the same bytes.
 */
import { createHash } from 'node:crypto';
import { needsOf, productionPackages, type LockedPackage, type LockFile } from './lock-file.ts';
import { licenseOf } from './notice.ts';

interface Component {
  readonly type: 'application' | 'library';
  readonly 'bom-ref': string;
  readonly group?: string;
  readonly name: string;
  readonly version: string;
  readonly scope?: 'required' | 'optional';
  readonly hashes?: readonly { readonly alg: 'SHA-512'; readonly content: string }[];
  readonly licenses: readonly ({ license: { id: string } } | { expression: string })[];
  readonly purl: string;
}

export interface Bom {
  readonly bomFormat: 'CycloneDX';
  readonly specVersion: '1.6';
  readonly serialNumber: string;
  readonly version: 1;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/** @param others the packages of others; for a release, all that a user may get. */
export function bomOf(
  lock: LockFile,
  others: readonly LockedPackage[] = productionPackages(lock),
): Bom {
  const root = lock.get('');
  const own = [...lock].filter(([path]) => path.startsWith('packages/'));
  /** By path, where several paths may hold the same package. */
  const refs = new Map<string, string>();
  const components = new Map<string, Component>();
  const needs = new Map<string, Set<string>>();
  const add = (path: string, component: Component, on: readonly string[]): void => {
    const { purl } = component;
    refs.set(path, purl);
    components.set(purl, components.get(purl) ?? component);
    needs.set(purl, new Set([...(needs.get(purl) ?? []), ...on]));
  };
  for (const [path, { version = '' }] of own) {
    const name = `@skein/${path.slice('packages/'.length)}`;
    add(path, componentOf(name, version, 'Apache-2.0'), needsOf(lock, path));
  }
  for (const { path, name, version, license, integrity, optional, needs: on } of others) {
    const component: Component = {
      ...componentOf(name, version, licenseOf({ name, license })),
      scope: optional ? 'optional' : 'required',
      hashes: [{ alg: 'SHA-512', content: hexOf(integrity) }],
    };
    add(path, component, on);
  }
  const product: Component = {
    ...componentOf('skein', root?.version ?? '', 'Apache-2.0'),
    type: 'application',
  };
  const dependencies = [...needs].map(([ref, on]) => ({
    ref,
    dependsOn: [...new Set([...on].flatMap((path) => refs.get(path) ?? []))].sort(),
  }));
  const content = {
    metadata: { component: product },
    components: [...components.values()],
    dependencies: [
      { ref: product.purl, dependsOn: own.map(([path]) => refs.get(path)!) },
      ...dependencies,
    ],
  };
  const serialNumber = `urn:uuid:${uuidOf(JSON.stringify(content))}`;
  return { bomFormat: 'CycloneDX', specVersion: '1.6', serialNumber, version: 1, ...content };
}

function componentOf(fullName: string, version: string, license: string): Component {
  const [, group, name = fullName] = /^(@[^/]+)\/(.+)$/.exec(fullName) ?? [];
  const path = group === undefined ? name : `%40${group.slice(1)}/${name}`;
  const purl = `pkg:npm/${path}@${version}`;
  return {
    type: 'library',
    'bom-ref': purl,
    ...(group === undefined ? {} : { group }),
    name,
    version,
    licenses: [
      / (?:AND|OR|WITH) /.test(license) ? { expression: license } : { license: { id: license } },
    ],
    purl,
  };
}

/** npm keeps `sha512-` and base64; CycloneDX wants hexadecimal digits. */
function hexOf(integrity: string): string {
  return Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex');
}

/** A UUID made from content (RFC 9562, version 8). */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
