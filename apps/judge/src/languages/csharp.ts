/** C#, by Mono. */
import { anyEntry, type Language } from './language.ts';

const extensions = ['.cs'];

export const csharp: Language = {
  code: 'csharp',
  name: 'C#',
  extensions,
  toolchain: { probe: ['mono', '--version'], debianPackage: 'mono-mcs', optional: true },
  entry: anyEntry(extensions),
  compile: ({ sources }) => ['mcs', '-optimize+', '-out:program.exe', ...sources],
  run: ({ folder }) => ['mono', `${folder}/program.exe`],
  pids: 64,
};
