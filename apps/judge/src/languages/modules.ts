/**
 * Where a program of JavaScript or TypeScript modules starts: at its only file, at `main.*`, where
 * `package.json` points, at `index.*`, or at the only file that no other file imports.
 */
import { JSON_BOUNDS, readJsonOr } from '@skein/api/foreign-json';
import type { ProgramFile } from '../package/problem.ts';
import { givenEntry, hasExtension, type Language, mainFile } from './language.ts';

/** The specifier of an import, an export or a `require` of another file of the program; takes linear time. */
const RELATIVE_IMPORT = /\b(?:from|import|require)\s*(?:\(\s*)?['"](\.{1,2}\/[^'"]+)['"]/g;

export function moduleEntry(extensions: readonly string[]): Language['entry'] {
  const named = (name: string): string[] => extensions.map((extension) => `${name}${extension}`);
  return (files, given) => {
    const sources = files.filter((file) => hasExtension(file.path, extensions));
    if (given !== undefined) return givenEntry(sources, given);
    const own = sources.filter((file) => file.included !== true);
    const entry =
      mainFile(sources, named('main')) ??
      declaredMain(files, own) ??
      mainFile(own, named('index')) ??
      notImported(own);
    if (entry !== undefined) return { entry };
    return {
      problem: `of several files one must be named main${extensions[0]} or index${extensions[0]}, be the main of package.json, or be the only one that no other imports`,
    };
  };
}

function declaredMain(
  files: readonly ProgramFile[],
  sources: readonly ProgramFile[],
): string | undefined {
  const manifest = files.find((file) => file.path === 'package.json' && file.included !== true);
  if (manifest === undefined) return undefined;
  // The language's own tools report a manifest that is not JSON.
  const value = readJsonOr(manifest.content, JSON_BOUNDS.request, undefined);
  const main =
    typeof value === 'object' && value !== null && 'main' in value ? value.main : undefined;
  return typeof main === 'string' ? resolve(at('package.json', main), sources) : undefined;
}

function notImported(sources: readonly ProgramFile[]): string | undefined {
  const imported = new Set<string>();
  for (const { path, content } of sources) {
    const text = new TextDecoder().decode(content);
    for (const [, specifier = ''] of text.matchAll(RELATIVE_IMPORT)) {
      const target = resolve(at(path, specifier), sources);
      if (target !== undefined && target !== path) imported.add(target);
    }
  }
  const roots = sources.filter((file) => !imported.has(file.path));
  return roots.length === 1 ? roots[0]?.path : undefined;
}

/** Not by `node:path`, which a browser does not have: the page uses the languages too. */
function at(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

/** The file that is meant: by its name, without its extension, by what it compiles to, or a folder's index. */
function resolve(target: string, sources: readonly ProgramFile[]): string | undefined {
  const bare = target.replace(/\.[mc]?js$/, '');
  const withoutExtension = (path: string): string => path.replace(/\.[mc]?[jt]s$/, '');
  return (
    sources.find((file) => file.path === target) ??
    sources.find((file) => [bare, `${bare}/index`].includes(withoutExtension(file.path)))
  )?.path;
}
