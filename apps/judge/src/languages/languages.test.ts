/** The contract of a language, over every one of the registry. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadProblem } from '../package/load-problem.ts';
import type { ProgramFile } from '../package/problem.ts';
import { detectLanguage, LANGUAGES, languageOf } from './languages.ts';

const FERRY = join(import.meta.dirname, '../../problems/ferry');

// The script reads the sources: it runs where no Node is.
it.each([
  ['judge', false],
  ['judge-all', true],
])('the root file system of %s has the toolchains of its languages', (profile, hasOptional) => {
  const script = join(import.meta.dirname, '../../../../deploy/sandbox/packages.sh');
  const listed = execFileSync('bash', [script, profile], { encoding: 'utf8' });
  const named = LANGUAGES.filter(({ toolchain }) => hasOptional || toolchain.optional !== true);
  const packages = named.flatMap(({ toolchain }) => toolchain.debianPackage.split(' '));
  expect(new Set(listed.trim().split(' '))).toEqual(new Set(packages));
});

// The test of packages judges each of these programs in every sandbox that has its toolchain.
it.each(LANGUAGES)('$name has a program in the example package', async ({ code }) => {
  const { examples } = await loadProblem(FERRY);
  const accepted = examples.filter(({ name }) => name.startsWith('accepted/'));
  const codes = accepted.map(({ language, program }) => {
    const found = language === undefined ? detectLanguage(program.files) : languageOf(language);
    return found !== undefined && 'code' in found ? found.code : undefined;
  });
  expect(codes.filter((one) => one === code)).toHaveLength(1);
});

it.each(LANGUAGES)('$name is known by its files, and by no other', ({ code, extensions }) => {
  expect(LANGUAGES.filter((other) => other.code === code)).toHaveLength(1);
  for (const extension of extensions) {
    const file = { path: `main${extension}`, content: new Uint8Array(), executable: false };
    expect(detectLanguage([file])).toMatchObject({ code });
  }
});

it('takes C next to C++ for C++, and other mixtures for none', () => {
  const file = (path: string) => ({ path, content: new Uint8Array(), executable: false });
  expect(detectLanguage([file('a.c'), file('b.cpp')])).toMatchObject({ code: 'cpp' });
  const mixed = { problem: expect.stringContaining('several languages'), unknown: false };
  expect(detectLanguage([file('a.c'), file('b.py')])).toEqual(mixed);
  expect(detectLanguage([file('a.c'), file('b.cpp'), file('c.py')])).toEqual(mixed);
});

const source = (path: string, text = ''): ProgramFile => ({
  path,
  content: new TextEncoder().encode(text),
  executable: false,
});
const included = (path: string, text = ''): ProgramFile => ({
  ...source(path, text),
  included: true,
});

it.each<[string, string, ProgramFile[], string | undefined]>([
  ['the only file', 'javascript', [source('a.js')], 'a.js'],
  ['main', 'javascript', [source('a.js'), source('main.mjs')], 'main.mjs'],
  ['index', 'typescript', [source('a.ts'), source('index.ts')], 'index.ts'],
  [
    'what package.json names, before index',
    'javascript',
    [source('a.js'), source('index.js'), source('package.json', '{"main": "./a"}')],
    'a.js',
  ],
  [
    'the TypeScript file of the JavaScript that package.json names',
    'typescript',
    [source('a.ts'), source('b.ts'), source('package.json', '{"main": "b.js"}')],
    'b.ts',
  ],
  [
    'the only file that no other imports',
    'typescript',
    [
      source('lib/a.ts', "import { b } from '../b.ts'"),
      source('b.ts', "import './lib/c'"),
      source('lib/c.ts'),
      source('solve.ts', "const a = require('./lib/a.js')"),
    ],
    'solve.ts',
  ],
  [
    'index, where package.json is nested too deep to be read',
    'javascript',
    [source('a.js'), source('index.js'), source('package.json', '['.repeat(2 ** 17))],
    'index.js',
  ],
  ['none, when two are not imported', 'javascript', [source('a.js'), source('b.js')], undefined],
  ['the own file next to an included one', 'python3', [source('x.py'), included('y.py')], 'x.py'],
  [
    'the own file next to an included one with an import',
    'javascript',
    [source('x.js', "require('./y.js')"), included('y.js'), included('index.js')],
    'x.js',
  ],
  ['an included driver', 'python3', [source('x.py'), included('main.py')], 'main.py'],
  [
    'none, when of two own files none is named main',
    'python3',
    [source('x.py'), source('y.py'), included('z.py')],
    undefined,
  ],
  [
    'the own class next to an included one with a main',
    'java',
    [
      source('Own.java', 'class Own { public static void main(String[] a) {} }'),
      included('Tool.java', 'class Tool { public static void main(String[] a) {} }'),
    ],
    'Own',
  ],
  [
    'an included driver with its main',
    'java',
    [
      source('Own.java', 'class Own { public static void main(String[] a) {} }'),
      included('Main.java', 'class Main { public static void main(String[] a) {} }'),
    ],
    'Main',
  ],
  ...(
    [
      ['class Node {} class Solution { public static void main(String[] a) {} }', 'Solution'],
      ['interface Shape {} record P(int x) {} class A { static void main(String[] a) {} }', 'A'],
      ['class A { public enum B { C } public static void main(String[] a) {} }', 'A'],
      ['class A { static class B {} static public void main(String[] a) {} }', 'A'],
      ['class A { static class B { static void main(String[] a) {} } }', 'A$B'],
      ['class A { void f() { /* } */ } // {\n public static void main(String... a) {} }', 'A'],
      [
        String.raw`class A { String s = "/* \" }"; char c = '"', d = '{'; static void main() {} }`,
        'A',
      ],
      ['class A { String s = """\n } "quoted" \\""" { """; static void main() {} }', 'A'],
      ['@S({"a"}) public final class Größe$1 { static void main(String[] a) {} }', 'Größe$1'],
      ['package a.b_c; class A { static final synchronized void main(String[] a) {} }', 'a.b_c.A'],
    ] as const
  ).map(([text, entry]): [string, string, ProgramFile[], string] => [
    `the type around its main: ${text}`,
    'java',
    [source('Program.java', text)],
    entry,
  ]),
  [
    'the class of the file with a main',
    'kotlin',
    [source('two words.kt', 'package p\nfun main() {}'), source('other.kt', 'fun help() {}')],
    'p.Two_wordsKt',
  ],
  [
    'the class of a file named with letters outside ASCII',
    'kotlin',
    [source('größe-1.kt', 'package prüfung.a\nfun main() {}')],
    'prüfung.a.Größe_1Kt',
  ],
  [
    'an object named with letters outside ASCII',
    'scala',
    [source('a.scala', 'package prüfung\nobject Größe extends App { println(1) }')],
    'prüfung.Größe',
  ],
  [
    'the class of a file whose name begins with a digit',
    'kotlin',
    [source('1-main.kt', 'fun main() {}')],
    '_1_mainKt',
  ],
  [
    'the object that is an App',
    'scala',
    [source('a.scala', 'object Help { def f = 1 }\nobject Run extends App { println(1) }')],
    'Run',
  ],
])('starts at %s (%s)', (_what, code, files, entry) => {
  const found = languageOf(code)?.entry(files, undefined);
  if (entry === undefined) expect(found).toEqual({ problem: expect.any(String) });
  else expect(found).toMatchObject({ entry });
});

// A search in quadratic time takes longer than a test may.
it.each<[string, string, string]>([
  ['spaces after an import', 'javascript', `import${' '.repeat(2 ** 19)}`],
  ['empty lines', 'kotlin', `fun main() {}${'\n'.repeat(2 ** 19)}`],
  ['empty lines', 'scala', `${'\n'.repeat(2 ** 19)}object Main extends App`],
  ['empty lines', 'java', `class A { static void main() {} }${'\n'.repeat(2 ** 19)}`],
  ['comments without an end', 'java', `class A { static void main() {} }${'/* '.repeat(2 ** 19)}`],
  [
    'texts without an end',
    'java',
    `class A { static void main() {} }"${String.raw`\"`.repeat(2 ** 19)}`,
  ],
  [
    'blocks without an end',
    'java',
    `class A { static void main() {} }${String.raw`\"""`.repeat(2 ** 19)}`,
  ],
  ['modifiers', 'java', `class A { static void main() {} }${'static final '.repeat(2 ** 19)}`],
  ['brackets', 'perl', `a(${') '.repeat(2 ** 19)}`],
  ['braces', 'java', `class A { static void main() {} ${'{'.repeat(2 ** 19)}static void main(`],
])('finds the entry behind many %s (%s)', (_what, code, text) => {
  const language = languageOf(code)!;
  const [extension] = language.extensions;
  const files = [source(`a${extension}`, text), source(`b${extension}`)];
  expect(language.entry(files, undefined)).toEqual(expect.any(Object));
});

it.each<[string, string | undefined]>([
  ['use strict;\nprint "hello\\n";\n', 'perl'],
  ['#!/usr/bin/perl\nprint $x ? 1 :-1;\n', 'perl'],
  ['sub f { g($x) ? 1\n  :-1 }\nf(1) ? 2 :- 3;\n', 'perl'],
  [':- initialization(main).\n', undefined],
  ['% hello\nmain :-\n  write(hello).\n', undefined],
  ['fact(0, 1).\nfact(N, F) :- N > 0, M is N - 1, fact(M, G), F is N * G.\n', undefined],
])('takes a .pl file for Perl unless it is Prolog: %j', (text, code) => {
  const found = detectLanguage([source('a.pl', text)]);
  expect(found).toMatchObject(code === undefined ? { unknown: true } : { code });
});

it('distinguishes unknown languages from mixtures', () => {
  expect(detectLanguage([source('a.lisp')])).toMatchObject({ unknown: true });
  expect(detectLanguage([source('a.c++')])).toMatchObject({ code: 'cpp' });
});
