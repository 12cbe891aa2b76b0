/** The simulation's report in docs/concepts/fleet.md: tables, and a picture of each. */
import { type RoutingPolicy, simulate, type SimulationResult } from '../simulation/fleet.ts';
import { LOCAL_FIRST } from '../simulation/local-first.ts';
import { OTHERS, RANDOM_ONE_RETRY } from '../simulation/policies.ts';
import { type Scenario, SCENARIOS } from '../simulation/scenarios.ts';
import { routing } from '../tuning.ts';

export interface Report {
  /** The text between the markers in the document. */
  readonly markdown: string;
  /** By file name. */
  readonly pictures: Readonly<Record<string, string>>;
}

interface Row {
  readonly name: string;
  readonly results: readonly SimulationResult[];
}

const POLICIES = [LOCAL_FIRST, ...OTHERS];
const SIZES = [2, 10, 100, 1000, 2000];
const NODES = 200;
const DURATION_MS = 3500;

export function writeReport(): Report {
  const [slowNodes] = SCENARIOS as readonly [Scenario, ...Scenario[]];
  const policies = POLICIES.map((policy): Row => ({
    name: policy.name,
    results: SCENARIOS.map((scenario) => run(policy, scenario, NODES)),
  }));
  const sizes = [LOCAL_FIRST, RANDOM_ONE_RETRY].map((policy): Row => ({
    name: policy.name,
    results: SIZES.map((nodes) => run(policy, slowNodes, nodes)),
  }));
  return {
    markdown: [
      `In time, ${count(NODES)} nodes:`,
      table(['policy', ...SCENARIOS.map(({ name }) => name)], policies, ({ goodput }) =>
        percent(goodput),
      ),
      'p99 of the answers, in milliseconds, late ones included:',
      table(['policy', ...SCENARIOS.map(({ name }) => name)], policies, ({ p99Ms }) =>
        p99Ms.toFixed(0),
      ),
      'Messages between nodes per request:',
      table(['policy', ...SCENARIOS.map(({ name }) => name)], policies, ({ messages }) =>
        messages.toFixed(2),
      ),
      `In time by the size of the fleet, ${slowNodes.name}:`,
      table(['policy', ...SIZES.map((nodes) => `${count(nodes)} nodes`)], sizes, ({ goodput }) =>
        percent(goodput),
      ),
      'What each constant is worth:',
      constantsTable(routing, LOCAL_FIRST, TRIED),
    ].join('\n\n'),
    pictures: { 'fleet-routing.svg': lossPicture(policies) },
  };
}

function run(policy: RoutingPolicy, scenario: Scenario, nodes: number): SimulationResult {
  // Small fleets run longer, so that they have as many requests.
  const durationMs = DURATION_MS * Math.min(10, Math.max(1, NODES / nodes));
  return simulate({ nodes, scenario, policy, durationMs });
}

const TRIED = SCENARIOS.filter(({ name }) =>
  ['a fifth at half speed', 'partition', 'overload, load 3'].includes(name),
);

function constantsTable(
  values: Record<string, number>,
  policy: RoutingPolicy,
  scenarios: readonly Scenario[],
): string {
  const results = (): SimulationResult[] => scenarios.map((one) => run(policy, one, NODES));
  const base = results();
  const rows = Object.keys(values).flatMap((name) => {
    const value = values[name]!;
    return [0.5, 2].map((factor) => {
      values[name] = value >= 2 ? Math.round(value * factor) : Math.min(value * factor, 0.99);
      const changed = results();
      const cells = changed.map(({ goodput, messages }, i) => {
        const [points, more] = [goodput - base[i]!.goodput, messages - base[i]!.messages];
        return `${signed(100 * points)} (${signed(more)})`;
      });
      const to = values[name];
      values[name] = value;
      return line(`\`${name}\``, String(value), String(to), ...cells);
    });
  });
  const header = ['constant', 'is', 'tried', ...scenarios.map(({ name }) => name)];
  return [line(...header), line(...header.map((_, i) => (i === 0 ? '---' : '--:'))), ...rows].join(
    '\n',
  );
}

function table(
  header: readonly string[],
  rows: readonly Row[],
  cell: (result: SimulationResult) => string,
): string {
  return [
    line(...header),
    line(...header.map((_, i) => (i === 0 ? '---' : '--:'))),
    ...rows.map(({ name, results }) => line(name, ...results.map(cell))),
  ].join('\n');
}

const line = (...cells: string[]): string => `| ${cells.join(' | ')} |`;
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
const count = (nodes: number): string => nodes.toLocaleString('en');
const signed = (value: number): string =>
  Math.abs(value) < 0.005 ? '0' : `${value > 0 ? '+' : '−'}${Math.abs(value).toFixed(2)}`;

const STYLE =
  '<style>text{font:12px sans-serif;fill:#57606a}.n{text-anchor:end}.o{fill:#1a7f37}.p{fill:#8c959f}.z{stroke:#d0d7de}</style>';

/** Per policy and scenario: the requests that are lost, on a logarithmic scale. */
function lossPicture(rows: readonly Row[]): string {
  const [left, width, least] = [270, 460, 1e-4];
  const at = (share: number): number =>
    left + (width * Math.log10(Math.max(share, least) / least)) / Math.log10(1 / least);
  const parts: string[] = [];
  let y = 40;
  SCENARIOS.forEach(({ name }, i) => {
    parts.push(`<text x="8" y="${y}" font-weight="bold">${name}</text>`);
    y += 8;
    rows.forEach((row, j) => {
      const lost = 1 - row.results[i]!.goodput;
      const bar = at(lost) - left;
      const kind = j === 0 ? 'o' : 'p';
      parts.push(
        `<text class="n" x="${left - 8}" y="${y + 10}">${row.name}</text>` +
          `<rect class="${kind}" x="${left}" y="${y}" width="${bar.toFixed(1)}" height="12"/>`,
      );
      y += 16;
    });
    y += 22;
  });
  const ticks = [0.001, 0.01, 0.1, 1].map((share) => {
    const x = at(share).toFixed(1);
    return (
      `<line class="z" x1="${x}" x2="${x}" y1="24" y2="${y - 24}"/>` +
      `<text class="n" x="${x}" y="16">${100 * share} %</text>`
    );
  });
  const title = 'Requests that are lost, by policy and scenario, on a logarithmic scale';
  return `<svg xmlns="http://www.w3.org/2000/svg" width="760" height="${y}" role="img"><title>${title}</title>${STYLE}\n${[...ticks, ...parts].join('\n')}\n</svg>\n`;
}

const BEGIN = '<!-- report -->\n';
const END = '<!-- end of report -->\n';

/** The page with its report replaced. */
export function splice(page: string, markdown: string): string {
  const from = page.indexOf(BEGIN) + BEGIN.length;
  return `${page.slice(0, from)}\n${markdown}\n\n${page.slice(page.indexOf(END))}`;
}
