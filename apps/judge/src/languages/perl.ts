import { type Language, mainFileEntry } from './language.ts';

/** The format gives `.pl` to Prolog, so it means Perl only where the language is named. */
const all = ['.pl', '.pm'];

export const perl: Language = {
  code: 'perl',
  name: 'Perl',
  extensions: ['.pm'],
  sharedExtensions: ['.pl'],
  toolchain: { probe: ['perl', '--version'], debianPackage: 'perl' },
  entry: mainFileEntry(all, ['main.pl', 'main.pm']),
  compile: ({ entry }) => ['perl', '-I', '.', '-c', entry],
  run: ({ folder, entry }) => ['perl', '-I', folder, `${folder}/${entry}`],
  pids: 32,
};
