/**
 * The behaviour of a package on a Node that is older than it needs: it ends at its import with one
 * sentence, not with the name of a function that this Node lacks.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join, relative } from 'node:path';

/** The oldest Node that runs Skein. */
export const NEEDED = '22.18';
/** Packages of clients, which an older Node runs too, apart from these entry points. */
const FOR_OLDER_NODE: Readonly<Record<string, readonly string[] | undefined>> = {
  api: ['./src/machine/user-modules.js'],
  onnx: [],
};

/** For `engines` of a package. */
export const enginesOf = (name: string): { readonly node: string } => ({
  node: FOR_OLDER_NODE[name] === undefined ? `>=${NEEDED}` : '>=20.19',
});

/**
 * Writes the check of the version, and imports it first in every entry point.
 *
 * @param folder the built package.
 * @param entries its scripts, relative to the folder.
 */
export function guardEntries(name: string, folder: string, entries: readonly string[]): void {
  const apart = FOR_OLDER_NODE[name];
  writeFileSync(join(folder, 'src/node-version.js'), checkOf(name));
  for (const entry of entries) {
    if (apart?.includes(entry) === false) continue;
    const path = join(folder, entry);
    const guard = relative(dirname(path), join(folder, 'src/node-version.js'));
    const specifier = guard.startsWith('.') ? guard : `./${guard}`;
    writeFileSync(path, `import '${specifier}';\n${readFileSync(path, 'utf8')}`);
  }
}

/** A page has no Node, and passes. */
const checkOf = (name: string): string => `const node = globalThis.process?.versions?.node;
const [major, minor] = (node ?? '${NEEDED}').split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  throw new Error(\`@skein/${name} needs Node ${NEEDED} or newer; this is Node \${node}.\`);
}
`;

/** The other Nodes of this machine: the first of its PATH that is not the project's. */
export function otherNodes(): readonly string[] {
  const own = realpathSync(process.execPath);
  const found = (process.env['PATH'] ?? '').split(delimiter).flatMap((folder) => {
    try {
      return [realpathSync(join(folder, 'node'))];
    } catch {
      return [];
    }
  });
  const isProjects = (path: string) => path === own || path.includes('/node_modules/');
  return [...new Set(found.filter((path) => !isProjects(path)))];
}

/**
 * @param specifiers of every entry point of the package.
 * @param project a folder in which it is installed.
 * @throws Error naming the entry point that ends otherwise than by its sentence.
 */
export function checkOlderNode(node: string, specifiers: readonly string[], project: string): void {
  for (const specifier of specifiers) {
    const { status, stderr } = spawnSync(
      node,
      ['--input-type=module', '--eval', `await import(${JSON.stringify(specifier)});`],
      { cwd: project, encoding: 'utf8', timeout: 60_000 },
    );
    if (status === 0 || /^Error: @skein\/.* needs Node .*; this is Node .*\.$/m.test(stderr))
      continue;
    throw new Error(
      `${specifier} in ${node} ends without naming the Node that it needs:\n${stderr}`,
    );
  }
}
