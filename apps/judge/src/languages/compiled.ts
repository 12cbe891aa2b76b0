/** Languages whose compiler writes one program. Those with rules of their own have files of their own. */
import { anyEntry, type Language, mainFileEntry } from './language.ts';

type Row = Omit<Language, 'entry' | 'run' | 'pids'> & Partial<Language>;

const compiled = (row: Row): Language => ({
  entry: anyEntry(row.extensions),
  run: ({ folder }) => [`${folder}/program`],
  pids: 32,
  ...row,
});

const GCC = ['-O2', '-pipe', '-o', 'program'];

/** OCaml links modules in the order in which they are named. */
const OCAML = 'exec ocamlopt -I +unix -I +str -o program unix.cmxa str.cmxa $(ocamldep -sort "$@")';

/** Names the folders of the units, because a guest does not see /etc/fpc.cfg, which names them. */
const PASCAL =
  'for units in /usr/lib/*/fpc/*/units/*/*; do set -- "-Fu$units" "$@"; done; exec fpc -n -ve "$@"';

export const c = compiled({
  code: 'c',
  name: 'C',
  extensions: ['.c'],
  toolchain: { probe: ['gcc', '--version'], debianPackage: 'gcc libc6-dev' },
  compile: ({ sources }) => ['gcc', '-std=gnu17', ...GCC, ...sources, '-lm'],
  grammar: 'cpp',
});

export const cpp = compiled({
  code: 'cpp',
  name: 'C++',
  extensions: ['.cc', '.cpp', '.cxx', '.c++', '.C'],
  toolchain: { probe: ['g++', '--version'], debianPackage: 'g++' },
  compile: ({ sources }) => ['g++', '-std=gnu++20', ...GCC, ...sources],
  grammar: 'cpp',
  admits: ['c'],
});

/** By Mono. */
export const csharp = compiled({
  code: 'csharp',
  name: 'C#',
  extensions: ['.cs'],
  toolchain: { probe: ['mono', '--version'], debianPackage: 'mono-mcs', optional: true },
  compile: ({ sources }) => ['mcs', '-optimize+', '-out:program.exe', ...sources],
  run: ({ folder }) => ['mono', `${folder}/program.exe`],
  pids: 64,
});

export const haskell = compiled({
  code: 'haskell',
  name: 'Haskell',
  extensions: ['.hs'],
  toolchain: { probe: ['ghc', '--version'], debianPackage: 'ghc', optional: true },
  compile: ({ sources }) => ['ghc', '-v0', '-O2', '-o', 'program', ...sources],
});

export const ocaml = compiled({
  code: 'ocaml',
  name: 'OCaml',
  extensions: ['.ml'],
  toolchain: { probe: ['ocamlopt', '-version'], debianPackage: 'ocaml-nox', optional: true },
  compile: ({ sources }) => ['sh', '-c', OCAML, 'build', ...sources],
});

export const pascal = compiled({
  code: 'pascal',
  name: 'Pascal',
  extensions: ['.pas'],
  toolchain: { probe: ['fpc', '-iV'], debianPackage: 'fp-compiler' },
  entry: mainFileEntry(['.pas'], ['main.pas']),
  compile: ({ entry }) => ['sh', '-c', PASCAL, 'build', '-O2', '-l-', '-oprogram', entry],
});

export const rust = compiled({
  code: 'rust',
  name: 'Rust',
  extensions: ['.rs'],
  toolchain: { probe: ['rustc', '--version'], debianPackage: 'rustc' },
  entry: mainFileEntry(['.rs'], ['main.rs']),
  compile: ({ entry }) => ['rustc', '--edition=2021', '-O', '-o', 'program', entry],
  grammar: 'rust',
});
