import { type Language, mainFileEntry } from './language.ts';

const extensions = ['.pl', '.pm'];
/** A directive or a rule of Prolog at the start of a line; a program of Prolog needs one to start. */
const PROLOG = /^(?:[a-z]\w*(?:\([^?\n]*\))?[ \t]*)?:-/m;

export const perl: Language = {
  code: 'perl',
  name: 'Perl',
  extensions,
  // The format gives `.pl` to Prolog, which this judge does not run; most judges give it to Perl.
  owns: ({ content }) => !PROLOG.test(new TextDecoder().decode(content)),
  toolchain: { probe: ['perl', '--version'], debianPackage: 'perl' },
  entry: mainFileEntry(extensions, ['main.pl', 'main.pm']),
  compile: ({ entry }) => ['perl', '-I', '.', '-c', entry],
  run: ({ folder, entry }) => ['perl', '-I', folder, `${folder}/${entry}`],
  pids: 32,
};
