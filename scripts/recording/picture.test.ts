import { expect, it } from 'vitest';
import { pictureOf } from './picture.ts';
import { screenOf, wrapped } from './screen.ts';

it('keeps colours, replaces a line that is drawn again, and starts lines', () => {
  expect(screenOf('\r\u001B[KStarting\r\u001B[K\u001B[32m●\u001B[39m ready\r\nnext')).toEqual([
    [
      { text: '●', style: 'green' },
      { text: ' ready', style: undefined },
    ],
    [{ text: 'next', style: undefined }],
  ]);
});

it('breaks a long line at the width', () => {
  const rows = wrapped([[{ text: 'abcdef', style: 'dim' }]], 4);
  expect(rows.map((row) => row.map(({ text }) => text).join(''))).toEqual(['abcd', 'ef']);
});

it('shows each frame for its share of the loop, with markup escaped', () => {
  const picture = pictureOf([
    { atMs: 0, output: '<a>' },
    { atMs: 4000, output: ' & b' },
  ]);
  // The second frame stays for six seconds of ten.
  expect(picture).toContain('@keyframes k0{0.00%{visibility:visible}40.00%{visibility:hidden}}');
  expect(picture).toContain('@keyframes k1{0%{visibility:hidden}40.00%{visibility:visible}100.00%');
  expect(picture).toContain('&lt;a&gt;');
  expect(picture).not.toContain('<a>');
});
