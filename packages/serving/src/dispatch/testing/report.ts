/** The simulation's report in docs/concepts/dispatch.md: two tables, and a picture of each. */
import { tuning, type Tunable } from '../tuning.ts';
import { resultOf, withConstant, type Result } from './sensitivity.ts';
import { TRACES } from './traces.ts';

export interface Report {
  /** The text between the markers in the document. */
  readonly markdown: string;
  /** By file name. */
  readonly pictures: Readonly<Record<string, string>>;
}

interface Change {
  /** Mean over the traces, as a share of the requests. */
  readonly goodput: number;
  /** The largest change of a trace, and which. */
  readonly largest: number;
  readonly trace: string;
  readonly broken: number;
  /** Largest ratio of p99 to that with the constant as it is, in either direction. */
  readonly p99: number;
}

interface Row {
  readonly name: Tunable;
  readonly halved: Change;
  readonly doubled: Change;
}

export function writeReport(): Report {
  const base = TRACES.map(resultOf);
  const rows = (Object.keys(tuning) as Tunable[])
    .map((name): Row => {
      const change = (factor: number): Change => changeOf(withConstant(name, factor), base);
      return { name, halved: change(0.5), doubled: change(2) };
    })
    .sort((a, b) => weightOf(b) - weightOf(a));
  return {
    markdown: [tracesTable(base), constantsTable(rows)].join('\n\n'),
    pictures: {
      'dispatch-traces.svg': tracesPicture(base),
      'dispatch-constants.svg': picture(rows),
    },
  };
}

function changeOf(results: readonly Result[], base: readonly Result[]): Change {
  const goodputs = results.map(({ goodput }, i) => goodput - base[i]!.goodput);
  const ratios = results.map(({ p99Ms }, i) => p99Ms / base[i]!.p99Ms);
  const furthest = goodputs.reduce(
    (at, d, i) => (Math.abs(d) > Math.abs(goodputs[at]!) ? i : at),
    0,
  );
  return {
    goodput: mean(goodputs),
    largest: goodputs[furthest]!,
    trace: TRACES[furthest]!.name,
    broken: mean(results.map(({ broken }, i) => broken - base[i]!.broken)),
    p99: ratios.reduce((far, r) => (Math.abs(Math.log(r)) > Math.abs(Math.log(far)) ? r : far), 1),
  };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function weightOf({ halved, doubled }: Row): number {
  return Math.max(Math.abs(halved.largest), Math.abs(doubled.largest));
}

function tracesTable(base: readonly Result[]): string {
  const lines = base.map(({ goodput, refused, broken, p99Ms }, i) =>
    line(
      TRACES[i]!.name,
      percent(goodput),
      percent(refused),
      percent(broken),
      `${p99Ms.toFixed(0)} ms`,
    ),
  );
  return [
    line('trace', 'in time', 'refused', 'late', 'p99'),
    line('---', '--:', '--:', '--:', '--:'),
    ...lines,
  ].join('\n');
}

function constantsTable(rows: readonly Row[]): string {
  const cells = ({ goodput, largest, trace, p99 }: Change): string[] => [
    signed(goodput),
    largest === 0 ? '0' : `${signed(largest)} (${trace})`,
    `× ${p99.toFixed(2)}`,
  ];
  const lines = rows.map(({ name, halved, doubled }) =>
    line(`\`${name}\``, String(tuning[name]), ...cells(halved), ...cells(doubled)),
  );
  const head = ['in time, mean', 'largest', 'p99'];
  return [
    line(
      'constant',
      'value',
      ...head.map((title) => `halved: ${title}`),
      ...head.map((title) => `doubled: ${title}`),
    ),
    line('---', '--:', '--:', '---', '--:', '--:', '---', '--:'),
    ...lines,
  ].join('\n');
}

const line = (...cells: string[]): string => `| ${cells.join(' | ')} |`;
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const signed = (share: number): string =>
  Math.abs(share) < 5e-5 ? '0' : `${share > 0 ? '+' : '−'}${Math.abs(100 * share).toFixed(2)}`;

const STYLE =
  '<style>text{font:12px sans-serif;fill:#57606a}.n{text-anchor:end}.g{fill:#1a7f37}.r{fill:#bf8700}.b{fill:#cf222e}.h{fill:#0969da}.d{fill:#8250df}.z{stroke:#8c959f}</style>';

function svg(height: number, title: string, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="760" height="${height}" role="img"><title>${title}</title>${STYLE}\n${parts.join('\n')}\n</svg>\n`;
}

function bar(x: number, y: number, width: number, height: number, kind: string): string {
  return `<rect class="${kind}" x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${height}"/>`;
}

/** Per trace: answered in time, refused, late. */
function tracesPicture(base: readonly Result[]): string {
  const parts = base.map(({ goodput, refused, broken }, i) => {
    const y = 30 + 20 * i;
    const [g, r, b] = [goodput * 500, refused * 500, broken * 500];
    return [
      `<text class="n" x="220" y="${y + 11}">${TRACES[i]!.name}</text>`,
      bar(230, y, g, 14, 'g'),
      bar(230 + g, y, r, 14, 'r'),
      bar(230 + g + r, y, b, 14, 'b'),
    ].join('');
  });
  const legend =
    '<text x="230" y="18"><tspan class="g">■</tspan> in time  <tspan class="r">■</tspan> refused  <tspan class="b">■</tspan> late</text>';
  return svg(40 + 20 * base.length, 'What becomes of the requests of each trace', [
    legend,
    ...parts,
  ]);
}

/** Per constant: the largest change of goodput when it is halved and doubled. */
function picture(rows: readonly Row[]): string {
  const scale = 240 / Math.max(...rows.map(weightOf));
  const side = (value: number, y: number, kind: string): string => {
    const width = Math.abs(value) * scale;
    return bar(value < 0 ? 480 - width : 480, y, width, 6, kind);
  };
  const parts = rows.map(({ name, halved, doubled }, i) => {
    const y = 30 + 20 * i;
    return `<text class="n" x="220" y="${y + 11}">${name}</text>${side(halved.largest, y, 'h')}${side(doubled.largest, y + 7, 'd')}`;
  });
  const most = (100 * Math.max(...rows.map(weightOf))).toFixed(0);
  const legend = `<text x="240" y="18">−${most} points in time</text><text class="n" x="740" y="18">+${most}  <tspan class="h">■</tspan> halved  <tspan class="d">■</tspan> doubled</text>`;
  const axis = `<line class="z" x1="480" x2="480" y1="26" y2="${30 + 20 * rows.length}"/>`;
  return svg(40 + 20 * rows.length, 'Largest change of goodput in one trace', [
    legend,
    axis,
    ...parts,
  ]);
}

const BEGIN = '<!-- report -->\n';
const END = '<!-- end of report -->\n';

/** The page with its report replaced. */
export function splice(page: string, markdown: string): string {
  const from = page.indexOf(BEGIN) + BEGIN.length;
  return `${page.slice(0, from)}\n${markdown}\n\n${page.slice(page.indexOf(END))}`;
}
