/** The constants of a package, in its statements and programs. */
import { invalid } from '../invalid.ts';

/** Characters of a text with its constants: a few kilobytes could become gigabytes. */
const LARGEST = 32 * 2 ** 20;

/**
 * Replaces `{{name}}` by the constant of that name; other braces are unchanged.
 *
 * @throws SkeinError PROBLEM_INVALID when the text gets too large.
 */
export function substitute(text: string, constants: ReadonlyMap<string, string>): string {
  if (constants.size === 0) return text;
  let size = text.length;
  return text.replaceAll(/\{\{([a-zA-Z_][a-zA-Z0-9_]*)\}\}/g, (all, name: string) => {
    const value = constants.get(name);
    if (value === undefined) return all;
    size += value.length - all.length;
    if (size > LARGEST) {
      throw invalid(
        'problem.yaml',
        `constants: a text gets more than ${LARGEST} characters by them`,
      );
    }
    return value;
  });
}
