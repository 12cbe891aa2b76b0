/** Foreign text inside Skein's own, as it reaches the terminal. */
import { expect, it } from 'vitest';
import { createNotes } from './notes.ts';
import { styleOf } from './style.ts';
import { shownOn } from './terminal.ts';

const stream = { isTTY: true, columns: 80, write: () => true };
const style = styleOf(stream, {});
const RED = '\u001B[31m';

it('writes the colours of Skein, and colours of a foreign text as text', () => {
  const line = `${style.green('ready')} ${RED}red\u001B[39m ${style.bold(`${RED}both`)}`;
  expect(shownOn(stream, line)).toBe(
    '\u001B[32mready\u001B[39m \\u001b[31mred\\u001b[39m \u001B[1m\\u001b[31mboth\u001B[22m',
  );
  // Concealed text, a cursor movement, a colour with parameters.
  for (const tail of ['[8m', '[2A', '[38;5;1m', '[31', 'c', 'P']) {
    expect(shownOn(stream, `${style.green('a')}\u001B${tail}`)).toBe(
      `\u001B[32ma\u001B[39m\\u001b${tail}`,
    );
  }
});

it('writes the same on the line that it rewrites, and every byte to a pipe', () => {
  let written = '';
  const notes = createNotes({ ...stream, write: (text) => (written += text) }, {});
  notes.progress(`${notes.style.dim('x')} ${RED}y`);
  expect(written).toBe('\r\u001B[K\u001B[2mx\u001B[22m \\u001b[31my');
  const pipe = { isTTY: false, write: () => true };
  const forced = styleOf(pipe, { FORCE_COLOR: '1' });
  expect(shownOn(pipe, `${forced.red('x')} ${RED}y`)).toBe('\u001B[31mx\u001B[39m \u001B[31my');
});
