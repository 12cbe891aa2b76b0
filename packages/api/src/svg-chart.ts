/** Drawing of charts in one SVG file: no scripts, no fonts, for light and dark pages. */
import { escapeMarkup } from './safe-text.ts';

export const WIDTH = 880;
export const LEFT = 76;

const CSS = `
svg{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;--bg:#fff;--ink:#1c2430;--soft:#68707d;--grid:#e8eaee}
@media(prefers-color-scheme:dark){svg{--bg:#11161d;--ink:#e8ebf0;--soft:#949dab;--grid:#242c37}}
.bg{fill:var(--bg)}.title{font-size:17px;font-weight:600;fill:var(--ink)}.soft{fill:var(--soft)}.axis{fill:var(--soft);font-size:12px}.grid{stroke:var(--grid);fill:none}
.line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}`;

/** @param css of its own. @param parts elements above one another, `height` in all. */
export function svgChart(
  { title, subtitle, label }: { title: string; subtitle: string; label: string },
  height: number,
  css: string,
  parts: readonly string[],
): string {
  const all = [text(LEFT, 34, 'title', title), text(LEFT, 56, 'soft', subtitle), ...parts];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escapeMarkup(label)}">
<style>${CSS}${css}</style>
<rect class="bg" width="${WIDTH}" height="${height}" rx="10"/>
${all.join('\n')}
</svg>
`;
}

/** 1, 2 and 5 times the powers of ten, from the last up to `min` to the first from `max` on; over many decades only the powers. */
export function logarithmicTicks(min: number, max: number): number[] {
  const steps = max / min > 1000 ? [1] : [1, 2, 5];
  const all = [];
  for (let power = Math.floor(Math.log10(min)); power <= Math.ceil(Math.log10(max)); power++) {
    for (const step of steps) all.push(step * 10 ** power);
  }
  const from = all.findLastIndex((tick) => tick <= min);
  const to = all.findIndex((tick) => tick >= max);
  return all.slice(from, to + 1);
}

/** Moves labels apart that would overlap. */
export function spread<T extends { at: number }>(labels: readonly T[]): T[] {
  const sorted = labels.toSorted((a, b) => a.at - b.at).map((label) => ({ ...label }));
  sorted.forEach((label, i) => {
    const above = sorted[i - 1];
    if (above !== undefined) label.at = Math.max(label.at, above.at + 16);
  });
  return sorted;
}

export function text(x: number, y: number, css: string, content: string, anchor = 'start'): string {
  const side = anchor === 'start' ? '' : ` text-anchor="${anchor}"`;
  return `<text class="${css}" x="${px(x)}" y="${px(y)}"${side}>${escapeMarkup(content)}</text>`;
}

export function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}
