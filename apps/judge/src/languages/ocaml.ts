import { anyEntry, type Language } from './language.ts';

const extensions = ['.ml'];

/** OCaml links modules in the order in which they are named. */
const BUILD = 'exec ocamlopt -I +unix -I +str -o program unix.cmxa str.cmxa $(ocamldep -sort "$@")';

export const ocaml: Language = {
  code: 'ocaml',
  name: 'OCaml',
  extensions,
  toolchain: { probe: ['ocamlopt', '-version'], debianPackage: 'ocaml-nox', optional: true },
  entry: anyEntry(extensions),
  compile: ({ sources }) => ['sh', '-c', BUILD, 'build', ...sources],
  run: ({ folder }) => [`${folder}/program`],
  pids: 32,
};
