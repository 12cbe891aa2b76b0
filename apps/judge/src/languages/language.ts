/**
 * A programming language as data: which files are its own, how its sources become a program, and
 * how the program is run. No other part of the judge depends on a language.
 */
import type { ProgramFile } from '../package/problem.ts';

/** Where a program lies in the guest while it is built or run. */
export interface Place {
  /** Absolute path of the folder with the program's files; also the working folder of a build. */
  readonly folder: string;
  /** The file or class that the program starts at. */
  readonly entry: string;
  /** The language's files, relative to the folder. */
  readonly sources: readonly string[];
  readonly memoryBytes: number;
  /** Stack size of the process in bytes; undefined: the default of the guest. */
  readonly stackBytes: number | undefined;
}

export interface Entry {
  readonly entry: string;
  /** The files to build, when some must be named differently. */
  readonly files?: readonly ProgramFile[];
}

/**
 * A folder that a build fills once per toolchain and that later builds read: mounted read-only. One
 * that is incomplete or stale costs time, never correctness.
 */
export interface ToolchainCache {
  /** Variable of the environment that names the folder. */
  readonly variable: string;
  /** Where guests see it. */
  readonly target: string;
  /** The program whose build fills it. */
  readonly source: ProgramFile;
  /** Folders in it that must exist, even when they are empty. */
  readonly folders: readonly string[];
  /** Files in it that the toolchain writes again: each a link to a place where guests may write. */
  readonly links: Readonly<Record<string, string>>;
}

/** The grammars that the editor has. */
export type Grammar = 'cpp' | 'go' | 'java' | 'javascript' | 'python' | 'rust' | 'typescript';

export interface Language {
  /** The format's code: `cpp`. */
  readonly code: string;
  readonly name: string;
  /** Endings that determine the language of a file. */
  readonly extensions: readonly string[];
  /** Further endings of its files, which count only when the language is named: `.py` for PyPy. */
  readonly sharedExtensions?: readonly string[];
  /** Whether a file with one of its endings is in this language; default: every one. */
  readonly owns?: (file: ProgramFile) => boolean;
  readonly toolchain: {
    /** Prints a version and exits with 0 where the toolchain is installed. */
    readonly probe: readonly string[];
    readonly debianPackage: string;
    /** Too large for the image and the provisioning: installed by the operator who wants it. */
    readonly optional?: true;
  };
  /**
   * The entry point, or why it cannot be determined. A file of the package's `include/` is the entry
   * only when it carries the language's default name; then it is the driver of every submission.
   */
  entry(files: readonly ProgramFile[], given: string | undefined): Entry | { problem: string };
  /** Exits with 0 when the program was built. */
  readonly compile?: (place: Place) => readonly string[];
  readonly run: (place: Place) => readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Output that the toolchain compiles once and then only reads. */
  readonly cache?: ToolchainCache;
  /** Codes of languages whose files may stand next to its own, such as C headers next to C++. */
  readonly admits?: readonly string[];
  /** How the editor shows it; default: as plain text. */
  readonly grammar?: Grammar;
  /** Processes and threads that one program of the language may have at once. */
  readonly pids: number;
}

/** The project's own Node as guests see it: JavaScript and TypeScript need nothing installed. */
export const GUEST_NODE = '/opt/skein/node';

/** Compiled languages start wherever `main` is. */
export function anyEntry(extensions: readonly string[]): Language['entry'] {
  return (files, given) => {
    const [first] = files.filter((file) => hasExtension(file.path, extensions));
    return first === undefined
      ? { problem: `there is no ${extensions.join(' or ')} file` }
      : { entry: given ?? first.path };
  };
}

/**
 * Interpreted languages start at the only file, or at the one with a default name. The files of
 * `include/` are not counted.
 *
 * @param mains default names, the preferred one first.
 */
export function mainFileEntry(
  extensions: readonly string[],
  mains: readonly string[],
): Language['entry'] {
  return (files, given) => {
    const sources = files.filter((file) => hasExtension(file.path, extensions));
    if (given !== undefined) return givenEntry(sources, given);
    const main = mainFile(sources, mains);
    return main === undefined
      ? { problem: `of several files one must be named ${mains.join(' or ')}` }
      : { entry: main };
  };
}

export function givenEntry(
  sources: readonly ProgramFile[],
  given: string,
): Entry | { problem: string } {
  return sources.some((file) => file.path === given)
    ? { entry: given }
    : { problem: `the entry point ${given} is not among the files` };
}

/** The driver of the package, the only file of the submission, or the one with a default name. */
export function mainFile(
  sources: readonly ProgramFile[],
  mains: readonly string[],
): string | undefined {
  const own = sources.filter((file) => file.included !== true);
  const driver = sources.find((file) => file.included === true && mains.includes(file.path));
  if (driver !== undefined || own.length === 1) return (driver ?? own[0])?.path;
  return mains.find((name) => own.some((file) => file.path === name));
}

/** Whether the file is one that the language compiles or runs. */
export function isSource(
  path: string,
  { extensions, sharedExtensions = [] }: Pick<Language, 'extensions' | 'sharedExtensions'>,
): boolean {
  return hasExtension(path, extensions) || hasExtension(path, sharedExtensions);
}

export function hasExtension(path: string, extensions: readonly string[]): boolean {
  return extensions.some((extension) => path.endsWith(extension));
}
