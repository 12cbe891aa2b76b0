import { type Language, mainFileEntry } from './language.ts';

const extensions = ['.lua'];

export const lua: Language = {
  code: 'lua',
  name: 'Lua',
  extensions,
  toolchain: { probe: ['lua5.4', '-v'], debianPackage: 'lua5.4' },
  entry: mainFileEntry(extensions, ['main.lua']),
  compile: ({ sources }) => ['luac5.4', '-p', ...sources],
  run: ({ folder, entry }) => ['lua5.4', `${folder}/${entry}`],
  pids: 32,
};
