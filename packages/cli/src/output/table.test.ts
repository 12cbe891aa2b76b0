import { describe, expect, it } from 'vitest';
import { createNotes } from './notes.ts';
import { cutTo, displayWidth, PLAIN, styleOf } from './style.ts';
import { renderFields, renderTable, wrap } from './table.ts';

const terminal = (columns: number) => ({ isTTY: true, columns });

describe('renderTable', () => {
  it('aligns columns by what is seen, not by characters', () => {
    const style = styleOf(terminal(80), {});
    const table = renderTable(
      style,
      [
        { name: style.bold('識別'), rate: '7', note: 'wide' },
        { name: 'ocr', rate: '1,234', note: style.green('ok') },
      ],
      [
        ['NAME', ({ name }) => name],
        ['RATE', ({ rate }) => rate, 'right'],
        ['NOTE', ({ note }) => note],
      ],
    );
    const widths = table
      .split('\n')
      .map((line) => displayWidth(line.slice(0, line.search(/wide|ok/) >>> 0)));
    expect(widths[1]).toBe(widths[2]);
    expect(displayWidth('識別')).toBe(4);
  });

  it('cuts the last column at the edge of a terminal, and nowhere else', () => {
    const rows = ['x'.repeat(100)];
    const columns = [
      ['A', () => 'a'],
      ['WHY', (why: string) => why],
    ] as const;
    const narrow = renderTable(styleOf(terminal(40), { NO_COLOR: '1' }), rows, columns);
    expect(narrow.split('\n')[1]).toBe(`a  ${'x'.repeat(36)}…`);
    expect(renderTable(PLAIN, rows, columns)).toContain('x'.repeat(100));
  });

  it('cuts a coloured text as what is seen, and ends its colour', () => {
    const style = styleOf(terminal(80), {});
    const cut = cutTo(`a ${style.dim('long text')} here`, 6);
    expect(cut).toBe(`a ${style.dim('lon…')}`);
    expect(cutTo(style.dim('short'), 5)).toBe(style.dim('short'));
  });

  it('leaves no blanks at the ends of lines', () => {
    const columns = [
      ['A', () => 'long cell'],
      ['B', () => ''],
    ] as const;
    const table = renderTable(PLAIN, [1], columns);
    expect(table).not.toMatch(/ $/m);
  });
});

it('wraps at spaces, behind the labels', () => {
  expect(wrap('one two three four', 9)).toBe('one two\nthree\nfour');
  const fields = renderFields(styleOf(terminal(40), { NO_COLOR: '1' }), [
    ['k', 'one two three four five six seven eight'],
  ]);
  expect(fields).toBe('k  one two three four five six seven\n   eight');
});

describe('colours', () => {
  it.each([
    [{ isTTY: true }, {}, true],
    [{ isTTY: false }, {}, false],
    [{ isTTY: true }, { NO_COLOR: '1' }, false],
    [{ isTTY: true }, { NO_COLOR: '' }, true],
    [{ isTTY: true }, { TERM: 'dumb' }, false],
    [{}, { FORCE_COLOR: '1' }, true],
    [{}, { FORCE_COLOR: '1', NO_COLOR: '1' }, false],
  ])('of %j with %j: %s', (stream, env, coloured) => {
    expect(styleOf(stream, env).coloured).toBe(coloured);
  });
});

it('names commands as they are typed where npm has started them', () => {
  const text = 'Try `skein ls`, or:\n  skein run -- skein-tool of skein';
  expect(styleOf({}, {}).commands(text)).toBe(text);
  expect(styleOf({}, { npm_command: 'exec' }).commands(text)).toBe(
    'Try `npx skein ls`, or:\n  npx skein run -- skein-tool of skein',
  );
});

describe('notes', () => {
  function written(isTTY: boolean): { text: () => string; notes: ReturnType<typeof createNotes> } {
    let text = '';
    const stream = { isTTY, columns: 40, write: (part: string) => (text += part) };
    return { text: () => text, notes: createNotes(stream, {}) };
  }

  it('rewrite one line on a terminal and remove it before one that stays', () => {
    const { text, notes } = written(true);
    notes.progress('10 %');
    notes.progress('20 %');
    notes.line('done');
    expect(text()).toBe('\r\u001B[K10 %\r\u001B[K20 %\r\u001B[Kdone\n');
  });

  it('write only the lines of a log elsewhere', () => {
    const { text, notes } = written(false);
    notes.progress('10 %');
    notes.step('storing');
    notes.line('done');
    expect(text()).toBe('storing\ndone\n');
  });
});
