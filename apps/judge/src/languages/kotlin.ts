/** Kotlin, on the virtual machine of Java. The entry is the class that holds the file's `main`. */
import type { ProgramFile } from '../package/problem.ts';
import { runJava } from './java.ts';
import { hasExtension, type Language, mainFile } from './language.ts';

const extensions = ['.kt'];
const MAIN = /\bfun\s+main\s*\(/;
const PACKAGE = /^[ \t]*package\s+([\p{ID_Continue}$.]+)/mu;

export const kotlin: Language = {
  code: 'kotlin',
  name: 'Kotlin',
  extensions,
  toolchain: {
    probe: ['sh', '-c', 'command -v kotlinc'],
    debianPackage: 'kotlin',
    optional: true,
  },
  entry(files, given) {
    if (given !== undefined) return { entry: given };
    const text = (file: ProgramFile): string => new TextDecoder().decode(file.content);
    const mains = files.filter(
      (file) => hasExtension(file.path, extensions) && MAIN.test(text(file)),
    );
    const main = mains.find((file) => file.path === mainFile(mains, ['main.kt', 'Main.kt']));
    if (main === undefined) {
      return { problem: 'one file must have a `fun main()`, or of several one must be main.kt' };
    }
    const name = main.path.slice(main.path.lastIndexOf('/') + 1, -'.kt'.length);
    const inPackage = PACKAGE.exec(text(main))?.[1];
    // The compiler names it so: letters of every script stay.
    const stem = name.replace(/^\d/, '_$&').replaceAll(/[^\p{L}\d]/gu, '_');
    const className = `${stem.charAt(0).toUpperCase()}${stem.slice(1)}Kt`;
    return { entry: inPackage === undefined ? className : `${inPackage}.${className}` };
  },
  compile: ({ sources }) => ['kotlinc', '-include-runtime', '-d', 'program.jar', ...sources],
  run: (place) => runJava(place, `${place.folder}/program.jar`),
  pids: 64,
};
