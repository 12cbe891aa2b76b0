import { expect, it } from 'vitest';
import { escapeMarkup, safeLine, safeText } from './safe-text.ts';

it('escapes control sequences of a terminal, and nothing else', () => {
  expect(safeText('\u001B]52;c;x\u0007')).toBe('\\u001b]52;c;x\\u0007');
  expect(safeText('a\u009Bb\u202Ec\u2066d')).toBe('a\\u009bb\\u202ec\\u2066d');
  expect(safeText('größe 漢字 🎉\tx\n')).toBe('größe 漢字 🎉\tx\n');
  // A carriage return, which would overwrite its line, starts a new one.
  expect(safeText('50 %\r100 %\r\n')).toBe('50 %\n100 %\n');
  expect(safeLine('two\nlines\tand\r')).toBe('two\\nlines\\tand\\u000d');
});

it('does not change the value of a JSON document', () => {
  const value = { name: '\u009B31m\u202E', other: '\u001B' };
  expect(JSON.parse(safeText(JSON.stringify(value)))).toEqual(value);
});

it('leaves characters of XML alone in markup, and each of those that it has none for', () => {
  // Source: https://www.w3.org/TR/xml/#charsets
  const isOfXml = (code: number): boolean =>
    [0x9, 0xa, 0xd].includes(code) ||
    (code >= 0x20 && code <= 0xd7ff) ||
    (code >= 0xe000 && code <= 0xfffd) ||
    code >= 0x10000;
  const escaped = new Set(`&<>"'`);
  for (let code = 0; code < 0x11000; code++) {
    const character = String.fromCodePoint(code);
    if (escaped.has(character)) continue;
    expect(escapeMarkup(character)).toBe(isOfXml(code) ? character : '\uFFFD');
  }
  expect(escapeMarkup(`<a b="c">'&`)).toBe('&lt;a b=&quot;c&quot;&gt;&#39;&amp;');
});
