/** Scala, on the virtual machine of Java. The entry is the object that has a `main`, or is an `App`. */
import type { ProgramFile } from '../package/problem.ts';
import { runJava } from './java.ts';
import { hasExtension, type Language } from './language.ts';

const extensions = ['.scala'];
const LIBRARY = '/usr/share/java/scala-library.jar';
const OBJECT = /\bobject\s+([\p{ID_Start}$_][\p{ID_Continue}$]*)([^{]*)/gu;
const PACKAGE = /^[ \t]*package\s+([\p{ID_Continue}$.]+)/mu;

export const scala: Language = {
  code: 'scala',
  name: 'Scala',
  extensions,
  toolchain: { probe: ['sh', '-c', 'command -v scalac'], debianPackage: 'scala', optional: true },
  entry(files, given) {
    if (given !== undefined) return { entry: given };
    const found = files
      .filter((file) => hasExtension(file.path, extensions))
      .flatMap((file) =>
        startsOf(file).map((name) => ({ name, included: file.included === true })),
      );
    const driver = found.find(({ name, included }) => included && name === 'Main');
    const own = found.filter(({ included }) => !included);
    const entry = driver ?? (own.length === 1 ? own[0] : own.find(({ name }) => name === 'Main'));
    return entry === undefined
      ? {
          problem: 'one object must have a `main` or extend App; of several one must be named Main',
        }
      : { entry: entry.name };
  },
  compile: ({ sources }) => ['scalac', '-encoding', 'UTF-8', '-d', '.', ...sources],
  run: (place) => runJava(place, `${place.folder}:${LIBRARY}`),
  pids: 64,
};

/** The objects of a file that a program can start at. */
function startsOf(file: ProgramFile): string[] {
  const text = new TextDecoder().decode(file.content);
  const inPackage = PACKAGE.exec(text)?.[1];
  const objects = [...text.matchAll(OBJECT)];
  return objects.flatMap(({ 1: name = '', 2: head = '', index }, position) => {
    const body = text.slice(index, objects[position + 1]?.index);
    const starts = /\bextends\s+App\b/.test(head) || /\bdef\s+main\s*\(/.test(body);
    return starts ? [inPackage === undefined ? name : `${inPackage}.${name}`] : [];
  });
}
