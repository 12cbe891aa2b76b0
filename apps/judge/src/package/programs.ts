/** Programs of a package: validators, graders and example submissions, each a file or a folder. */
import { substitute } from './format/constants.ts';
import { invalid } from './invalid.ts';
import type { PackageEntry, PackageFolder } from './archive/package-folder.ts';
import type { Program, ProgramFile } from './problem.ts';

const MAX_PROGRAM_BYTES = 32 * 2 ** 20;

type Constants = ReadonlyMap<string, string>;

/** Every direct child of a folder is a program of its own. */
export async function readPrograms(
  folder: PackageFolder,
  at: string,
  constants: Constants,
): Promise<Program[]> {
  const names = new Set(
    folder.under(at).map((entry) => entry.path.slice(at.length + 1).split('/')[0]),
  );
  // One after the other: thousands of files at once would be more than a process may open.
  const programs: Program[] = [];
  for (const name of names) {
    programs.push(await readProgram(folder, `${at}/${name ?? ''}`, constants));
  }
  return programs;
}

/** The only program of a folder: its files, or a single folder in it. */
export async function readSingleProgram(
  folder: PackageFolder,
  at: string,
  constants: Constants,
): Promise<Program | undefined> {
  const entries = folder.under(at);
  if (entries.length === 0) return undefined;
  const children = new Set(entries.map((entry) => entry.path.slice(at.length + 1).split('/')[0]));
  const [only] = children;
  const nested = children.size === 1 && !folder.has(`${at}/${only}`);
  const root = nested ? `${at}/${only}` : at;
  return { name: root, files: await readFiles(folder, root, folder.under(root), constants) };
}

async function readProgram(
  folder: PackageFolder,
  path: string,
  constants: Constants,
): Promise<Program> {
  const file = folder.find(path);
  if (file === undefined) {
    return { name: path, files: await readFiles(folder, path, folder.under(path), constants) };
  }
  const parent = path.slice(0, path.lastIndexOf('/'));
  return { name: path, files: await readFiles(folder, parent, [file], constants) };
}

export async function readFiles(
  folder: PackageFolder,
  root: string,
  entries: readonly PackageEntry[],
  constants: Constants,
): Promise<ProgramFile[]> {
  const bytes = entries.reduce((sum, entry) => sum + entry.sizeBytes, 0);
  if (bytes > MAX_PROGRAM_BYTES) {
    throw invalid(root, `the program has ${bytes} bytes, more than ${MAX_PROGRAM_BYTES}`);
  }
  const files: ProgramFile[] = [];
  for (const { path, executable } of entries) {
    const given = await folder.read(path, MAX_PROGRAM_BYTES);
    const content = withConstants(given, constants);
    folder.hold(path, Math.max(0, content.length - given.length));
    files.push({ path: path.slice(root.length + 1), content, executable });
  }
  return files;
}

function withConstants(content: Uint8Array, constants: Constants): Uint8Array {
  if (constants.size === 0) return content;
  // Latin-1 keeps every byte, so that a binary file without a constant is unchanged.
  const text = Buffer.from(content).toString('latin1');
  const replaced = substitute(text, constants);
  if (replaced === text) return content;
  return new Uint8Array(Buffer.from(substitute(new TextDecoder().decode(content), constants)));
}

/** `include/LANGUAGE/…`: files that join a submission before it is built. */
export async function readIncludes(
  folder: PackageFolder,
  constants: Constants,
): Promise<Map<string, ProgramFile[]>> {
  const includes = new Map<string, ProgramFile[]>();
  const languages = new Set(folder.under('include').map((entry) => entry.path.split('/')[1] ?? ''));
  for (const language of languages) {
    const root = `include/${language}`;
    if (folder.has(root)) throw invalid(root, 'included files are in a folder per language');
    includes.set(language, await readFiles(folder, root, folder.under(root), constants));
  }
  return includes;
}
