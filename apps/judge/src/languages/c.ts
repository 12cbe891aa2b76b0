import { anyEntry, type Language } from './language.ts';

const extensions = ['.c'];

export const c: Language = {
  code: 'c',
  name: 'C',
  extensions,
  toolchain: { probe: ['gcc', '--version'], debianPackage: 'gcc libc6-dev' },
  entry: anyEntry(extensions),
  compile: ({ sources }) => [
    'gcc',
    '-std=gnu17',
    '-O2',
    '-pipe',
    '-o',
    'program',
    ...sources,
    '-lm',
  ],
  run: ({ folder }) => [`${folder}/program`],
  pids: 32,
  grammar: 'cpp',
};
