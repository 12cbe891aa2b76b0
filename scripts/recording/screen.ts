/**
 * The screen of a terminal after some output: lines of coloured spans. It obeys the few control
 * sequences that the command line writes: colours, carriage return, and erasing to the end of a line.
 */

export interface Span {
  readonly text: string;
  /** Name of a colour, `bold` or `dim`; undefined for plain text. */
  readonly style: string | undefined;
}

const STYLES: Readonly<Record<number, string>> = {
  1: 'bold',
  2: 'dim',
  31: 'red',
  32: 'green',
  33: 'yellow',
  36: 'cyan',
  90: 'dim',
};

// eslint-disable-next-line no-control-regex
const TOKEN = /\u001B\[(\d*)(?:;\d+)*([A-Za-z])|\r\n|\r|\n|[^\u001B\r\n]+|\u001B/g;

export function screenOf(output: string): Span[][] {
  const lines: Span[][] = [[]];
  let style: string | undefined;
  // A carriage return is followed by an erased line wherever the command line writes one.
  for (const [token, code, letter] of output.matchAll(TOKEN)) {
    if (letter === 'm') style = STYLES[Number(code)];
    else if (token === '\r\n' || token === '\n') lines.push([]);
    else if (token === '\r') lines[lines.length - 1] = [];
    else if (letter === undefined && token !== '\u001B') lines.at(-1)!.push({ text: token, style });
  }
  return lines;
}

/** Breaks lines at the width of the terminal, in columns. */
export function wrapped(lines: readonly (readonly Span[])[], columns: number): Span[][] {
  return lines.flatMap((line) => {
    const rows: Span[][] = [[]];
    let used = 0;
    for (const { text, style } of line) {
      const characters = Array.from(text);
      while (characters.length > 0) {
        if (used === columns) {
          rows.push([]);
          used = 0;
        }
        const piece = characters.splice(0, columns - used);
        used += piece.length;
        rows.at(-1)!.push({ text: piece.join(''), style });
      }
    }
    return rows;
  });
}
