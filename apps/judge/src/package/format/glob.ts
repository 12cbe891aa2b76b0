/**
 * The patterns of `submissions.yaml`: only `*` within a name and `{a,b}` alternatives. A pattern
 * matches a path when it matches the path or one of the folders that it is in.
 */
import { invalid } from '../invalid.ts';

/** Alternatives multiply; a pattern written by hand stays far below this. */
const MAX_ALTERNATIVES = 100;
/** Alternatives of all patterns times the paths that they are compared with. */
const MAX_COMPARISONS = 1_000_000;

export interface Glob {
  /** Names of each alternative, from the outermost folder. */
  readonly alternatives: readonly (readonly string[])[];
}

/** Unfolds the alternatives, once for any number of paths. */
export function globOf(pattern: string): Glob {
  return { alternatives: expandBraces(pattern).map((plain) => plain.split('/')) };
}

export function globMatches({ alternatives }: Glob, path: string): boolean {
  const parts = path.split('/');
  return alternatives.some(
    (names) =>
      names.length <= parts.length && names.every((name, at) => nameMatches(name, parts[at]!)),
  );
}

/** @throws SkeinError PROBLEM_INVALID when comparing all of them would take too long. */
export function boundComparisons(file: string, globs: readonly Glob[], paths: number): void {
  const alternatives = globs.reduce((sum, glob) => sum + glob.alternatives.length, 0);
  if (alternatives * paths > MAX_COMPARISONS) {
    throw invalid(file, `${alternatives} patterns for ${paths} submissions are too many`);
  }
}

/** Only the last `*` is tried again, so the time is at most the product of both lengths. */
function nameMatches(pattern: string, name: string): boolean {
  let at = 0;
  let inName = 0;
  /** Behind the last `*`, and how much of the name stands before what follows it. */
  let star = -1;
  let taken = 0;
  while (inName < name.length) {
    if (pattern[at] === '*') {
      star = ++at;
      taken = inName;
    } else if (pattern[at] === name[inName]) {
      at++;
      inName++;
    } else if (star >= 0) {
      at = star;
      inName = ++taken;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}

function expandBraces(pattern: string): string[] {
  let done: string[] = [];
  let open = [pattern];
  while (open.length > 0 && done.length + open.length <= MAX_ALTERNATIVES) {
    const next: string[] = [];
    for (const item of open) {
      // The innermost braces first, so that nested ones unfold too.
      const braces = /\{([^{}]*)\}/.exec(item);
      if (braces === null) done = [...done, item];
      else {
        const [all, inside = ''] = braces;
        next.push(...inside.split(',').map((choice) => item.replace(all, () => choice)));
      }
    }
    open = next;
  }
  return done;
}
