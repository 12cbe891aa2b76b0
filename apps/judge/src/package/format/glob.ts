/**
 * The patterns of `submissions.yaml`: only `*` within a name and `{a,b}` alternatives. A pattern
 * matches a path when it matches the path or one of the folders that it is in.
 */
/** Alternatives multiply; a pattern written by hand stays far below this. */
const MAX_ALTERNATIVES = 1000;

export function globMatches(pattern: string, path: string): boolean {
  const parts = path.split('/');
  return expandBraces(pattern).some((plain) => {
    const names = plain.split('/');
    return names.length <= parts.length && names.every((name, at) => nameMatches(name, parts[at]!));
  });
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
