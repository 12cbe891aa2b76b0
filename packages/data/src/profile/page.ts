/** A profile as one page that needs nothing else: pictures with their numbers as text, light and dark. */
import { escapeMarkup } from '@skein/api/safe-text';
import { formatFigure } from '@skein/api/units';
import type { ColumnChange } from './drift.ts';
import type { Bin, ColumnProfile, Count, Profile } from './result.ts';

const STYLE = `
:root { color-scheme: light dark; --ink: light-dark(#17212b, #e6ecee); --paper: light-dark(#f6f5f1, #0d1315);
  --surface: light-dark(#fff, #141c1f); --muted: light-dark(#5a6772, #94a4ac); --line: light-dark(#e4e1d8, #263238);
  --accent: light-dark(#0d5c63, #62c6cc); --warn: light-dark(#96590a, #f0b455); }
body { margin: 0 auto; max-width: 72rem; padding: 2rem 1rem; font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
section { background: var(--surface); border: 1px solid var(--line); border-radius: 12px; padding: 1rem 1.25rem; margin: 1rem 0; }
h1 { overflow-wrap: anywhere; }
h2 { margin: 0; font-size: 1.1rem; overflow-wrap: anywhere; } h2 small { color: var(--muted); font-weight: normal; }
.columns { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem; } .columns section { margin: 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; } th, td { text-align: left; padding: .15rem .5rem .15rem 0; vertical-align: top; overflow-wrap: anywhere; }
th { font-weight: normal; color: var(--muted); } td.n { text-align: right; white-space: nowrap; }
svg { width: 100%; height: 6rem; margin: .5rem 0; } rect { fill: var(--accent); } li { color: var(--warn); } li span { color: var(--ink); }`;

const text = (value: string | number): string => escapeMarkup(String(value));
const figure = (value: string | number): string =>
  text(typeof value === 'number' ? formatFigure(value) : value);

export function profilePage(
  title: string,
  profile: Profile,
  changes?: readonly ColumnChange[],
): string {
  const { rows, duplicates, columns, associations, warnings } = profile;
  const facts = `${rows.toLocaleString('en')} rows, ${columns.length} columns, ${duplicates.toLocaleString('en')} duplicates of rows`;
  const list = warnings.map(
    ({ column, message }) =>
      `<li><span>${column === undefined ? '' : `<strong>${text(column)}</strong>: `}${text(message)}</span></li>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text(title)}</title><style>${STYLE}</style></head>
<body><main><h1>${text(title)}</h1><p>${facts}</p>
${list.length === 0 ? '' : `<section><h2>Warnings</h2><ul>${list.join('\n')}</ul></section>`}
${changes === undefined ? '' : changesOf(changes)}
<div class="columns">
${columns.map(columnOf).join('\n')}
</div>
${
  associations.length === 0
    ? ''
    : tableOf(
        'Strongest correlations',
        ['column', 'column', 'measure', 'value'],
        associations
          .slice(0, 30)
          .map(({ a, b, measure, value, approximate }) => [
            a,
            b,
            NAMES[measure],
            `${approximate === true ? 'about ' : ''}${value.toFixed(3)}`,
          ]),
      )
}
</main></body></html>
`;
}

const NAMES = { pearson: 'Pearson', 'cramer-v': 'Cramér’s V' };

const changesOf = (changes: readonly ColumnChange[]): string =>
  tableOf(
    'Changes against the other version',
    ['column', 'change', 'stability index', 'Jensen–Shannon distance', 'notes'],
    changes.map(({ name, change, stability, distance, notes }) => [
      name,
      change,
      stability?.toFixed(3) ?? '',
      distance?.toFixed(3) ?? '',
      notes.join('; '),
    ]),
  );

function tableOf(
  title: string,
  heads: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const cells = (row: readonly string[], tag: string): string =>
    `<tr>${row.map((cell) => `<${tag}>${text(cell)}</${tag}>`).join('')}</tr>`;
  return `<section><h2>${text(title)}</h2><table><thead>${cells(heads, 'th')}</thead><tbody>${rows.map((row) => cells(row, 'td')).join('\n')}</tbody></table></section>`;
}

function columnOf(column: ColumnProfile): string {
  const { name, type, missing, distinct, approximate, lengths, quantiles = [] } = column;
  const about = (which: ColumnProfile['approximate'][number]): string =>
    approximate.includes(which) ? 'about ' : '';
  const median = quantiles.find(({ share }) => share === 0.5)?.value;
  const facts: (readonly [string, string | number | undefined])[] = [
    ['missing', missing],
    ['distinct', `${about('distinct')}${distinct.toLocaleString('en')}`],
    ['smallest', column.min],
    ['median', median === undefined ? undefined : `${about('quantiles')}${formatFigure(median)}`],
    ['mean', column.mean],
    ['deviation', column.deviation],
    ['largest', column.max],
    ['length', lengths && `${lengths.min} to ${lengths.max}, mean ${formatFigure(lengths.mean)}`],
  ];
  const lines = facts.flatMap(([label, value]) =>
    value === undefined
      ? []
      : [`<tr><th scope="row">${label}</th><td class="n">${figure(value)}</td></tr>`],
  );
  return `<section><h2>${text(name)} <small>${text(type)}</small></h2>${pictureOf(column)}<table>${lines.join('')}</table>${valuesOf(column)}</section>`;
}

function pictureOf({ name, kind, histogram, top }: ColumnProfile): string {
  if (histogram !== undefined) {
    const range = (at: number): string =>
      kind === 'time' ? new Date(at * 1000).toISOString().slice(0, 10) : formatFigure(at);
    const peak = histogram.reduce<Bin>((a, b) => (b.count > a.count ? b : a), histogram[0]!);
    const label = `Histogram of ${name}: most values, ${peak.count}, lie from ${range(peak.from)} to ${range(peak.to)}`;
    return bars(
      label,
      histogram.map(({ from, to, count }) => ({ value: `${range(from)} to ${range(to)}`, count })),
    );
  }
  const [first] = top;
  if (first === undefined || first.count < 2) return '';
  return bars(`Most frequent values of ${name}: ${first.value}, ${first.count} times`, top);
}

/** Bars with their values as titles. */
function bars(label: string, counts: readonly Count[]): string {
  const most = Math.max(1, ...counts.map(({ count }) => count));
  const each = counts.map(({ value, count }, at) => {
    const height = (100 * count) / most;
    return `<rect x="${at * 10}" y="${(100 - height).toFixed(2)}" width="9" height="${height.toFixed(2)}"><title>${text(value)}: ${count}</title></rect>`;
  });
  return `<svg role="img" aria-label="${text(label)}" viewBox="0 0 ${counts.length * 10} 100" preserveAspectRatio="none">${each.join('')}</svg>`;
}

function valuesOf({ kind, top, approximate }: ColumnProfile): string {
  if (kind === 'number' || kind === 'time' || (top[0]?.count ?? 0) < 2) return '';
  const rows = top.map(
    ({ value, count }) =>
      `<tr><td>${text(value)}</td><td class="n">${count.toLocaleString('en')}</td></tr>`,
  );
  const title = approximate.includes('top') ? 'Frequent values' : 'Most frequent values';
  return `<table><thead><tr><th>${title}</th><th></th></tr></thead><tbody>${rows.join('')}</tbody></table>`;
}
