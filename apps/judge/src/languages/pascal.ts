import { type Language, mainFileEntry } from './language.ts';

const extensions = ['.pas'];

/** Names the folders of the units, because a guest does not see /etc/fpc.cfg, which names them. */
const BUILD =
  'for units in /usr/lib/*/fpc/*/units/*/*; do set -- "-Fu$units" "$@"; done; exec fpc -n -ve "$@"';

export const pascal: Language = {
  code: 'pascal',
  name: 'Pascal',
  extensions,
  toolchain: { probe: ['fpc', '-iV'], debianPackage: 'fp-compiler' },
  entry: mainFileEntry(extensions, ['main.pas']),
  compile: ({ entry }) => ['sh', '-c', BUILD, 'build', '-O2', '-l-', '-oprogram', entry],
  run: ({ folder }) => [`${folder}/program`],
  pids: 32,
};
