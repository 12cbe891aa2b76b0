import { anyEntry, type Language } from './language.ts';

const extensions = ['.hs'];

export const haskell: Language = {
  code: 'haskell',
  name: 'Haskell',
  extensions,
  toolchain: { probe: ['ghc', '--version'], debianPackage: 'ghc', optional: true },
  entry: anyEntry(extensions),
  compile: ({ sources }) => ['ghc', '-v0', '-O2', '-o', 'program', ...sources],
  run: ({ folder }) => [`${folder}/program`],
  pids: 32,
};
