/**
 * Prints the folders of a package and of what it depends on, from the lock file: packages that an
 * image has although an installation does without them.
 *
 *     node deploy/container/closure.ts @kubernetes/client-node
 */
import { existsSync, readFileSync } from 'node:fs';

interface Locked {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
  packages: Readonly<Record<string, Locked>>;
};

/** Where Node finds `name` from the folder `from`. */
function find(name: string, from: string): string | undefined {
  const nests = from === '' ? [] : from.split(/\/(?=node_modules\/)/);
  for (let depth = nests.length; depth >= 0; depth--) {
    const path = [...nests.slice(0, depth), `node_modules/${name}`].join('/');
    if (path in lock.packages) return path;
  }
  return undefined;
}

const found = new Set<string>();
function add(name: string, from: string): void {
  const path = find(name, from);
  if (path === undefined || found.has(path)) return;
  found.add(path);
  const { dependencies, optionalDependencies } = lock.packages[path]!;
  for (const next of Object.keys({ ...dependencies, ...optionalDependencies })) add(next, path);
}
for (const name of process.argv.slice(2)) {
  if (find(name, '') === undefined) throw new Error(`package-lock.json has no ${name}`);
  add(name, '');
}
// Optional packages of other platforms are not installed.
console.log(
  [...found]
    .filter((path) => existsSync(path))
    .toSorted()
    .join('\n'),
);
