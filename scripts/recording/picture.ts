/**
 * A recording of a terminal as an SVG that moves by CSS alone, so that it plays inside an `<img>`.
 * Each frame is a group that is visible for its share of the loop.
 */
import { screenOf, wrapped, type Span } from './screen.ts';

export interface Recorded {
  /** Since the beginning, in milliseconds. */
  readonly atMs: number;
  readonly output: string;
}

const COLUMNS = 100;
const ROWS = 28;
const CHARACTER = { width: 8.4, height: 19 };
const MARGIN = 16;
/** Frames closer than this are one, in milliseconds. */
const SHORTEST_MS = 80;
/** The end stays readable before the loop begins again, in milliseconds. */
const HOLD_MS = 6000;

const COLOURS: Readonly<Record<string, string>> = {
  red: '#ff7b72',
  green: '#7ee787',
  yellow: '#e3b341',
  cyan: '#79c0ff',
  dim: '#8b949e',
};

/** @param recorded pieces of output by their time, all of one terminal. */
export function pictureOf(recorded: readonly Recorded[]): string {
  const frames = framesOf(recorded);
  const totalMs = (frames.at(-1)?.atMs ?? 0) + HOLD_MS;
  const width = Math.ceil(COLUMNS * CHARACTER.width + 2 * MARGIN);
  const height = ROWS * CHARACTER.height + 2 * MARGIN;
  const groups = frames.map(({ atMs, rows }, index) => {
    const untilMs = frames[index + 1]?.atMs ?? totalMs;
    return frame(rows, index, (atMs / totalMs) * 100, (untilMs / totalMs) * 100);
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="A terminal: npm start, then a question to the node">`,
    '<style>',
    'text{font:14px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#e6edf3;white-space:pre}',
    `g{visibility:hidden;animation-duration:${totalMs}ms;animation-iteration-count:infinite;animation-timing-function:step-end}`,
    '.bold{font-weight:bold}',
    ...Object.entries(COLOURS).map(([name, colour]) => `.${name}{fill:${colour}}`),
    // Readers who asked for no motion get the last frame.
    `@media (prefers-reduced-motion:reduce){g{animation:none!important}#f${frames.length - 1}{visibility:visible}}`,
    '</style>',
    `<rect width="${width}" height="${height}" rx="8" fill="#0d1117"/>`,
    ...groups,
    '</svg>',
    '',
  ].join('\n');
}

function framesOf(recorded: readonly Recorded[]): { atMs: number; rows: Span[][] }[] {
  const frames: { atMs: number; rows: Span[][] }[] = [];
  let output = '';
  for (const piece of recorded) {
    output += piece.output;
    const rows = wrapped(screenOf(output), COLUMNS).slice(-ROWS);
    const last = frames.at(-1);
    if (last !== undefined && piece.atMs - last.atMs < SHORTEST_MS) last.rows = rows;
    else frames.push({ atMs: piece.atMs, rows });
  }
  return frames;
}

function frame(rows: readonly Span[][], index: number, from: number, until: number): string {
  const shown = `${from.toFixed(2)}%{visibility:visible}${until.toFixed(2)}%{visibility:hidden}`;
  const before = index === 0 ? '' : '0%{visibility:hidden}';
  const lines = rows.map((row, at) => line(row, at)).join('');
  return `<style>@keyframes k${index}{${before}${shown}}#f${index}{animation-name:k${index}}</style><g id="f${index}">${lines}</g>`;
}

function line(row: readonly Span[], at: number): string {
  if (row.length === 0) return '';
  const y = MARGIN + (at + 0.75) * CHARACTER.height;
  const spans = row.map(({ text, style }) =>
    style === undefined ? escaped(text) : `<tspan class="${style}">${escaped(text)}</tspan>`,
  );
  return `<text x="${MARGIN}" y="${y.toFixed(1)}" xml:space="preserve">${spans.join('')}</text>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
