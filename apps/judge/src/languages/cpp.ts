import { anyEntry, type Language } from './language.ts';

const extensions = ['.cc', '.cpp', '.cxx', '.c++', '.C'];

export const cpp: Language = {
  code: 'cpp',
  name: 'C++',
  extensions,
  toolchain: { probe: ['g++', '--version'], debianPackage: 'g++' },
  entry: anyEntry(extensions),
  compile: ({ sources }) => ['g++', '-std=gnu++20', '-O2', '-pipe', '-o', 'program', ...sources],
  run: ({ folder }) => [`${folder}/program`],
  pids: 32,
  grammar: 'cpp',
  admits: ['c'],
};
