/**
 * Java. The entry is the class with a `main`; a file that does not carry the name of its public
 * class, as happens when a program is typed into a page, is renamed.
 */
import type { ProgramFile } from '../package/problem.ts';
import type { Language } from './language.ts';

const extensions = ['.java'];

const MAIN = /\bstatic\s+(?:final\s+)?void\s+main\s*\(/;
const PUBLIC_TYPE =
  /\bpublic\s+(?:(?:final|abstract|sealed|strictfp)\s+)*(?:class|record|enum|interface)\s+(\w+)/;
const TYPE_BEFORE_MAIN = /\b(?:class|record|enum|interface)\s+(\w+)/;
const PACKAGE = /^[ \t]*package\s+([\w.]+)\s*;/m;

export const java: Language = {
  code: 'java',
  name: 'Java',
  extensions,
  toolchain: {
    probe: ['javac', '-J-Xlog:disable', '-version'],
    debianPackage: 'default-jdk-headless',
  },
  entry(files, given) {
    const sources = files.filter((file) => file.path.endsWith('.java'));
    const renamed: ProgramFile[] = [];
    const mains: string[] = [];
    let driver: string | undefined;
    for (const file of sources) {
      const text = withoutComments(new TextDecoder().decode(file.content));
      const publicType = PUBLIC_TYPE.exec(text)?.[1];
      const folder = file.path.slice(0, file.path.lastIndexOf('/') + 1);
      renamed.push(
        publicType === undefined ? file : { ...file, path: `${folder}${publicType}.java` },
      );
      const main = MAIN.exec(text);
      if (main === null) continue;
      const name = publicType ?? TYPE_BEFORE_MAIN.exec(text)?.[1];
      const inPackage = PACKAGE.exec(text)?.[1];
      if (name === undefined) continue;
      const qualified = inPackage === undefined ? name : `${inPackage}.${name}`;
      if (file.included !== true) mains.push(qualified);
      else if (qualified === 'Main') driver = qualified;
    }
    const others = files.filter((file) => !file.path.endsWith('.java'));
    const entry =
      given ?? driver ?? (mains.length === 1 ? mains[0] : mains.find((name) => name === 'Main'));
    if (entry !== undefined) return { entry, files: [...others, ...renamed] };
    return {
      problem:
        mains.length === 0
          ? 'no class has a `public static void main(String[])`'
          : `several classes have a main method (${mains.join(', ')}); name one of them Main`,
    };
  },
  compile: ({ sources }) => [
    'javac',
    '-J-Xlog:disable',
    '-J-XX:+UseSerialGC',
    '-J-XX:TieredStopAtLevel=1',
    '-encoding',
    'UTF-8',
    '-nowarn',
    '-d',
    '.',
    ...sources,
  ],
  run: (place) => runJava(place, place.folder),
  pids: 64,
  grammar: 'java',
};

/** @param classPath as `java -cp` takes it. */
export function runJava(
  { entry, memoryBytes, stackBytes }: Parameters<Language['run']>[0],
  classPath: string,
): string[] {
  return [
    'java',
    // Its warnings would go to stdout, among the answers.
    '-Xlog:disable',
    '-XX:+UseSerialGC',
    '-Xshare:auto',
    // The rest is for the virtual machine itself.
    `-Xmx${Math.max(16, Math.floor((memoryBytes * 0.85) / 2 ** 20))}m`,
    `-Xss${Math.floor((stackBytes ?? 64 * 2 ** 20) / 2 ** 10 / 2)}k`,
    '-Dfile.encoding=UTF-8',
    '-cp',
    classPath,
    entry,
  ];
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?(?:\*\/|$)|\/\/[^\n]*/g, ' ');
}
