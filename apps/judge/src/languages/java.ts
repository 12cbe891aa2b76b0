/**
 * Java. The entry is the class with a `main`, whichever stand before it; a file that does not carry
 * the name of its public class, as happens when a program is typed into a page, is renamed.
 */
import type { ProgramFile } from '../package/problem.ts';
import type { Language } from './language.ts';

const extensions = ['.java'];

const NAME = String.raw`[\p{ID_Start}$_][\p{ID_Continue}$]*`;
const PACKAGE = new RegExp(String.raw`^[ \t]*package\s+([\p{ID_Continue}$.]+)\s*;`, 'mu');
/** Tokens that show the nesting of types and their main methods. */
const LANDMARKS = new RegExp(
  [
    '[{};]',
    String.raw`\b(?:public|static)\b`,
    String.raw`\b(?:class|record|enum|interface)\s+(?<type>${NAME})`,
    String.raw`\bvoid\s+main\s*\(`,
  ].join('|'),
  'gu',
);
/**
 * Comments, texts and characters, which may hold any word. One without an end is taken to the end
 * of its line or of the file, so that no place is read twice.
 */
const LITERALS =
  /\/\*[\s\S]*?(?:\*\/|$)|\/\/[^\n]*|"""(?:\\[\s\S]?|[^\\])*?(?:"""|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?/g;

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
      const text = new TextDecoder().decode(file.content).replaceAll(LITERALS, ' ');
      const { publicType, main } = outlineOf(text);
      const folder = file.path.slice(0, file.path.lastIndexOf('/') + 1);
      renamed.push(
        publicType === undefined ? file : { ...file, path: `${folder}${publicType}.java` },
      );
      if (main === undefined) continue;
      const inPackage = PACKAGE.exec(text)?.[1];
      const qualified = inPackage === undefined ? main : `${inPackage}.${main}`;
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

/** The public type at the top of a file, and the first type with a main method, as `java` takes it. */
function outlineOf(code: string): { publicType: string | undefined; main: string | undefined } {
  let publicType: string | undefined;
  let main: string | undefined;
  /** The types around a place, from the outermost; undefined: a method or another block. */
  const around: (string | undefined)[] = [];
  let declared: string | undefined;
  let modifiers = new Set<string>();
  for (const { 0: word, groups } of code.matchAll(LANDMARKS)) {
    if (word === 'public' || word === 'static') {
      modifiers.add(word);
    } else if (groups?.['type'] !== undefined) {
      declared = groups['type'];
      if (around.length === 0 && modifiers.has('public')) publicType ??= declared;
    } else if (word.startsWith('void')) {
      const isInType = around.length > 0 && !around.includes(undefined);
      if (isInType && modifiers.has('static')) main ??= around.join('$');
    } else {
      if (word === '{') around.push(declared);
      else if (word === '}') around.pop();
      declared = undefined;
      modifiers = new Set();
    }
  }
  return { publicType, main };
}
