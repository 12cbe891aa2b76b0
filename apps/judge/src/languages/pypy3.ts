/** PyPy: the files of Python 3, where the language is named. */
import type { Language } from './language.ts';
import { python3 } from './python3.ts';

export const pypy3: Language = {
  ...python3,
  code: 'pypy3',
  name: 'Python 3 (PyPy)',
  extensions: [],
  sharedExtensions: python3.extensions,
  toolchain: { probe: ['pypy3', '--version'], debianPackage: 'pypy3', optional: true },
  run: ({ folder, entry }) => ['pypy3', `${folder}/${entry}`],
};
