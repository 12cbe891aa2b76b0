/**
 * The patterns of `submissions.yaml`: only `*` within a name and `{a,b}` alternatives. A pattern
 * matches a path when it matches the path or one of the folders that it is in.
 */
const SPECIAL = /[.+?^$()|[\]\\]/g;

/** Alternatives multiply; a pattern written by hand stays far below this. */
const MAX_ALTERNATIVES = 1000;

export function globMatches(pattern: string, path: string): boolean {
  const parts = path.split('/');
  return expandBraces(pattern).some((plain) => {
    const depth = plain.split('/').length;
    if (depth > parts.length) return false;
    const source = plain.replaceAll(SPECIAL, String.raw`\$&`).replaceAll(/\*+/g, '[^/]*');
    return new RegExp(`^${source}$`).test(parts.slice(0, depth).join('/'));
  });
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
