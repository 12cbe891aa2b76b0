/**
 * Colours and width of one output stream. A plain style leaves text as it is, so renderers need no branch.
 *
 * A colour of Skein carries a random number until it is written. Text of jobs, models and nodes cannot
 * contain it, so colours in such text stay distinct wherever renderers have put it.
 */
import { randomInt } from 'node:crypto';
import { commandsBy, type Program, programOf } from '@skein/api/commands';

const OWN = randomInt(2 ** 40, 2 ** 41);
const mark = (code: number): string => `\u001B[${OWN};${code}m`;
const OWN_COLOUR = new RegExp(`\\u001B\\[${OWN};(\\d+)m`);

/** A text as a terminal takes it. @param safe applied to all that is not a colour of Skein. */
export function painted(text: string, safe = (foreign: string): string => foreign): string {
  // With the group, every second part is the code of a colour.
  return text
    .split(OWN_COLOUR)
    .map((part, index) => (index % 2 === 1 ? `\u001B[${part}m` : safe(part)))
    .join('');
}

export interface Style {
  readonly coloured: boolean;
  /** Columns of the terminal; a large number where lines need not fit. */
  readonly width: number;
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
  /** A text in which `skein …` is what the user types: `npx skein …` where npm has started it. */
  commands(text: string): string;
}

export const PLAIN: Style = makeStyle(false, 10_000);

/** Follows NO_COLOR (no-color.org) and FORCE_COLOR; else colours on a terminal only. */
export function styleOf(
  stream: { readonly isTTY?: boolean; readonly columns?: number },
  env: Readonly<Record<string, string | undefined>>,
): Style {
  const width = stream.isTTY === true ? Math.max(40, stream.columns ?? 80) : 10_000;
  return makeStyle(wantsColour(stream, env), width, programOf(env));
}

function wantsColour(
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  if (env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '') return false;
  if (env['FORCE_COLOR'] !== undefined && env['FORCE_COLOR'] !== '0') return true;
  return stream.isTTY === true && env['TERM'] !== 'dumb';
}

function makeStyle(coloured: boolean, width: number, program: Program = 'skein'): Style {
  const paint = (open: number, close: number) =>
    coloured ? (text: string) => mark(open) + text + mark(close) : (text: string) => text;
  return {
    coloured,
    width,
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    cyan: paint(36, 39),
    commands: (text) => commandsBy(program, text),
  };
}

/** Cuts a text with `…` where it takes more columns; its escape sequences stay, so that no colour runs on. */
export function cutTo(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  let width = 1;
  let kept = '';
  let ended = false;
  for (const [part] of text.matchAll(ESCAPE_OR_CHARACTER)) {
    if (part.length > 1 && part.startsWith('\u001B')) {
      kept += part;
      continue;
    }
    width += columnsOf(part.codePointAt(0) ?? 0);
    if (width <= columns) kept += part;
    else if (!ended) kept += '…';
    ended ||= width > columns;
  }
  return kept;
}

// eslint-disable-next-line no-control-regex
const ESCAPE_OR_CHARACTER = /\u001B\[[0-9;]*m|[^]/gu;

/** Columns that a text takes: escape sequences take none, wide characters two. */
export function displayWidth(text: string): number {
  let width = 0;
  // eslint-disable-next-line no-control-regex
  for (const character of text.replaceAll(/\u001B\[[0-9;]*m/g, '')) {
    width += columnsOf(character.codePointAt(0) ?? 0);
  }
  return width;
}

function columnsOf(code: number): number {
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return 0;
  if (code >= 0x300 && code <= 0x36f) return 0;
  const wide =
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0x1f300 && code <= 0x1f9ff) ||
    (code >= 0x20000 && code <= 0x3fffd);
  return wide ? 2 : 1;
}
