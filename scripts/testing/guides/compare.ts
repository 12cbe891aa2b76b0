/**
 * Compares an output that a page shows with the printed one, line by line.
 *
 * A page shows real values, and `…` where it leaves something out: a line of its own for any lines, within a line for
 * any text. Values that differ from run to run match any value of their form: durations, ages, sizes, dates and ids. Numbers
 * with a decimal point may differ by 2 %, because processors round differently.
 */

/** Forms of values that differ from run to run. */
const VARYING = [
  // An age.
  /\bnow\b|\b\d+ (?:s|min|h|days) ago\b/,
  /\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z| UTC)?)?/,
  /\d[\d,]*(?:\.\d+)? ?(?:µs|ms|s|min|h|KiB|MiB|GiB)(?![\w/])/,
  // How many times as fast.
  /\d+(?:\.\d+)?×/,
  /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/,
  // The id of a key.
  /\b[0-9a-f]{12}\b/,
  // A run: its day, its name and six digits.
  /\b\d{8}-[a-z]+-[0-9a-f]{6}\b/,
  /\b(?=[0-9a-zA-Z]*\d)(?=[0-9a-zA-Z]*[a-zA-Z])[0-9a-zA-Z]{12,}\b/,
];
const DECIMAL = /-?\d+\.\d+(?:e[+-]?\d+)?/;
const TOKEN = new RegExp(
  ['…', ...VARYING.map(({ source }) => source), DECIMAL.source].join('|'),
  'g',
);
const TOLERANCE = 0.02;

/** @returns the first line of the page that was not printed; undefined where all were, in their order. */
export function firstDifference(
  expected: readonly string[],
  printed: readonly string[],
): string | undefined {
  const wanted = withoutEmptyEnds(expected);
  const given = withoutEmptyEnds(printed);
  /** The lines of the page so far match so many printed lines. */
  let reached = new Set([0]);
  for (const line of wanted) {
    const next = new Set<number>();
    for (const count of reached) {
      if (line.trim() === '…') for (let to = count; to <= given.length; to++) next.add(to);
      else if (count < given.length && isSameLine(line, given[count]!)) next.add(count + 1);
    }
    if (next.size === 0) {
      const instead = given[Math.max(...reached)] ?? '(the end)';
      return `the page has "${line}", and printed was "${instead}"`;
    }
    reached = next;
  }
  if (reached.has(given.length)) return undefined;
  return `the page leaves out "${given[Math.max(...reached)]}"`;
}

function withoutEmptyEnds(lines: readonly string[]): readonly string[] {
  const kept = lines.map((line) => line.trimEnd());
  const first = kept.findIndex((line) => line !== '');
  return first < 0 ? [] : kept.slice(first, kept.findLastIndex((line) => line !== '') + 1);
}

export function isSameLine(expected: string, printed: string): boolean {
  const { pattern, numbers } = patternOf(withNarrowColumns(expected));
  const found = pattern.exec(withNarrowColumns(printed));
  return found !== null && numbers.every((number, i) => isClose(number, Number(found[i + 1])));
}

/** A column is as wide as its longest value, which may differ. */
function withNarrowColumns(line: string): string {
  return line.trimEnd().replaceAll(/(?<=\S) {2,}/g, '  ');
}

function patternOf(line: string): { pattern: RegExp; numbers: readonly number[] } {
  const numbers: number[] = [];
  let source = '';
  let end = 0;
  for (const found of line.matchAll(TOKEN)) {
    const [token] = found;
    source += escaped(line.slice(end, found.index));
    end = found.index + token.length;
    const varying = VARYING.find((form) => new RegExp(`^(?:${form.source})$`).test(token));
    if (token === '…') source += '.*?';
    else if (varying !== undefined) source += `(?:${varying.source})`;
    else {
      source += String.raw`(${DECIMAL.source}|-?\d+)`;
      numbers.push(Number(token));
    }
  }
  return { pattern: new RegExp(`^${source}${escaped(line.slice(end))}$`), numbers };
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}

function isClose(one: number, other: number): boolean {
  return Math.abs(one - other) <= TOLERANCE * Math.max(Math.abs(one), Math.abs(other)) + 1e-9;
}
