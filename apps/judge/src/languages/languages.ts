/** The languages of the judge, and how the language of a program follows from its files. */
import type { ProgramFile } from '../package/problem.ts';
import { c, cpp, csharp, haskell, ocaml, pascal, rust } from './compiled.ts';
import { go } from './go.ts';
import { bash, lua, perl, php, pypy3, python3, r, ruby } from './interpreted.ts';
import { java } from './java.ts';
import { javascript } from './javascript.ts';
import { kotlin } from './kotlin.ts';
import { hasExtension, type Language } from './language.ts';
import { scala } from './scala.ts';
import { typescript } from './typescript.ts';

export const LANGUAGES: readonly Language[] = [
  c,
  cpp,
  python3,
  javascript,
  typescript,
  java,
  rust,
  go,
  bash,
  csharp,
  haskell,
  kotlin,
  lua,
  ocaml,
  pascal,
  perl,
  php,
  pypy3,
  r,
  ruby,
  scala,
];

export function languageOf(code: string): Language | undefined {
  return LANGUAGES.find((language) => language.code === code);
}

/** The usual name of a language; its code where this judge does not have it. */
export function languageName(code: string): string {
  return languageOf(code)?.name ?? code;
}

export interface NoLanguage {
  readonly problem: string;
  /** No file has a language of this judge; another judge may have it. */
  readonly unknown: boolean;
}

/** The one language that the files' extensions speak of, or why there is none. */
export function detectLanguage(files: readonly ProgramFile[]): Language | NoLanguage {
  const found = LANGUAGES.filter(({ extensions, owns }) =>
    files.some((file) => hasExtension(file.path, extensions) && owns?.(file) !== false),
  );
  const [only] = found;
  if (only === undefined) {
    const names = files.map((file) => file.path).slice(0, 5);
    return { problem: `no language is known by the files ${names.join(', ')}`, unknown: true };
  }
  if (found.length > 1) {
    const whole = found.find(({ code, admits = [] }) =>
      found.every((other) => other.code === code || admits.includes(other.code)),
    );
    if (whole !== undefined) return whole;
    return {
      problem: `the files have several languages: ${found.map((one) => one.name).join(', ')}`,
      unknown: false,
    };
  }
  return only;
}
