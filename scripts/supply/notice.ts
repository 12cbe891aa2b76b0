/**
 * The NOTICE that goes with every package and the image: the third-party software in Skein, and its
 * licenses. Only licenses on the list pass, so that a new dependency with other terms stops the
 * build until its license is reviewed.
 */
import type { LockedPackage } from './lock-file.ts';

/** Licenses that ask for no more than their notice. */
const PERMISSIVE = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'PSF-2.0',
  'Python-2.0',
  'Unlicense',
]);

/** Packages whose license was reviewed individually, and why each is kept. */
const ACCEPTED: readonly { readonly name: RegExp; readonly license: string }[] = [
  // libvips as a shared library that a user may replace, which is what the LGPL asks for.
  { name: /^@img\/sharp-/, license: 'LGPL-3.0-or-later' },
];

/** Packages that state their license in a form that npm does not copy into the lock file. */
const STATED_ELSEWHERE: Readonly<Record<string, string>> = {
  buildcheck: 'MIT',
  'cpu-features': 'MIT',
  ssh2: 'MIT',
};

/** SPDX expression of a package without outer brackets, or `unknown`. */
export function licenseOf({ name, license }: Pick<LockedPackage, 'name' | 'license'>): string {
  return (license ?? STATED_ELSEWHERE[name] ?? 'unknown').replace(/^\((.*)\)$/, '$1');
}

/** One line for each package that may not be shipped. */
export function forbidden(packages: readonly LockedPackage[]): string[] {
  const allows = (name: string, license: string): boolean =>
    PERMISSIVE.has(license) ||
    ACCEPTED.some((each) => each.name.test(name) && each.license === license);
  return packages
    .filter(({ name, license }) => {
      const expression = licenseOf({ name, license });
      // One permissive license is enough among alternatives; licenses that apply together must all be permissive.
      const choices = expression.split(' OR ').map((choice) => choice.split(' AND '));
      return !choices.some((all) => all.every((each) => allows(name, each)));
    })
    .map((each) => `${each.name} ${each.version}: ${licenseOf(each)}`);
}

/** @param of such as `@skein/onnx`. */
export function noticeOf(of: string, packages: readonly LockedPackage[]): string {
  const head = [
    of,
    'Copyright the authors of Skein. Licensed under the Apache License, Version 2.0: see LICENSE.',
    '',
    packages.length === 0
      ? 'It needs no third-party software.'
      : 'It needs the software below, each under its own license; the text is in the package itself.',
  ];
  const groups = Map.groupBy(packages, licenseOf);
  const lines = [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([license, members]) => {
      const names = new Set(members.map(({ name, version }) => `  ${name} ${version}`));
      return ['', license, ...names];
    });
  return `${[...head, ...lines].join('\n')}\n`;
}
