/**
 * Draws a pipeline: steps in columns by the number of steps before them, and curves from each step
 * to the steps that need it. Follows the colours of the page or the viewer, light or dark.
 *
 *     ┌───────┐      ┌─────────┐      ┌───────┐
 *     │ split ├─────►│ count ≡ ├─────►│  sum  │
 *     └───────┘      └─────────┘      └───────┘
 */
import { escapeMarkup } from '@skein/api/safe-text';
import type { JobState } from '../contract.ts';

export interface GraphStep {
  readonly name: string;
  /** A short description of the step. */
  readonly title: string;
  readonly after: readonly string[];
  /** Whether it is run once per element of a list. */
  readonly fansOut: boolean;
  /** How many of its jobs are in which state; absent before it has started. */
  readonly counts?: Readonly<Partial<Record<JobState, number>>> | undefined;
}

const WIDTH = 180;
const HEIGHT = 52;
const COLUMN_GAP = 64;
const ROW_GAP = 24;
const MARGIN = 16;
/** Offset of the sheets that are drawn behind a step that fans out. */
const SHEET = 4;

interface Placed extends GraphStep {
  readonly x: number;
  readonly y: number;
}

/** @param steps in topological order: each step comes after the steps that it needs. */
export function pipelineSvg(name: string, steps: readonly GraphStep[]): string {
  const placed = place(steps);
  const byName = new Map(placed.map((step) => [step.name, step]));
  const right = Math.max(0, ...placed.map(({ x }) => x + WIDTH)) + MARGIN + 2 * SHEET;
  const bottom = Math.max(0, ...placed.map(({ y }) => y + HEIGHT)) + MARGIN + 2 * SHEET;
  const edges = placed.flatMap((step) =>
    step.after.map((before) => edge(byName.get(before)!, step)),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${right} ${bottom}" width="${right}" height="${bottom}" role="img" aria-label="${escapeMarkup(`Pipeline ${name}`)}">
<title>${escapeMarkup(`Pipeline ${name}`)}</title>
<style>
  svg { color-scheme: light dark; font: 13px system-ui, sans-serif; --ink: #1c2430; --dim: #66707e; --box: #ffffff; --line: #c3cad4; --ok: #1a7f4b; --run: #0b6bcb; --bad: #c4322b; --warn: #9a6700; }
  @media (prefers-color-scheme: dark) { svg { --ink: #e6eaf0; --dim: #98a2b0; --box: #1a2029; --line: #455061; --ok: #4cc38a; --run: #6cb2ff; --bad: #ff7b72; --warn: #e0b341; } }
  rect { fill: var(--box); stroke: var(--line); stroke-width: 1.5; }
  path { fill: none; stroke: var(--line); stroke-width: 1.5; }
  text { fill: var(--ink); } .dim { fill: var(--dim); font-size: 11px; }
  .succeeded { stroke: var(--ok); } .running { stroke: var(--run); stroke-width: 2.5; } .failed { stroke: var(--bad); stroke-width: 2.5; } .cancelled { stroke: var(--warn); }
  .arrow { fill: var(--line); stroke: none; }
</style>
<defs><marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path class="arrow" d="M0 0 L8 4 L0 8 z"/></marker></defs>
${edges.join('\n')}
${placed.map(box).join('\n')}
</svg>
`;
}

function place(steps: readonly GraphStep[]): Placed[] {
  const columns = new Map<string, number>();
  const rows: number[] = [];
  return steps.map((step) => {
    const column = Math.max(-1, ...step.after.map((before) => columns.get(before) ?? -1)) + 1;
    const row = rows[column] ?? 0;
    columns.set(step.name, column);
    rows[column] = row + 1;
    return {
      ...step,
      x: MARGIN + column * (WIDTH + COLUMN_GAP),
      y: MARGIN + row * (HEIGHT + ROW_GAP),
    };
  });
}

function edge(from: Placed, to: Placed): string {
  const [x1, y1] = [from.x + WIDTH + (from.fansOut ? 2 * SHEET : 0), from.y + HEIGHT / 2];
  const [x2, y2] = [to.x, to.y + HEIGHT / 2];
  const bend = Math.max(COLUMN_GAP / 2, (x2 - x1) / 2);
  return `<path d="M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2 - 2} ${y2}" marker-end="url(#end)"/>`;
}

function box(step: Placed): string {
  const { x, y, name, title, counts, fansOut } = step;
  const state = stateOf(counts);
  const sheet = (shift: number): string =>
    `<rect x="${x + shift}" y="${y + shift}" width="${WIDTH}" height="${HEIGHT}" rx="8" class="${state}"/>`;
  const sheets = fansOut ? [2 * SHEET, SHEET, 0] : [0];
  const note = [title, progressOf(counts, fansOut)].filter((part) => part !== '').join(' · ');
  return `<g>${sheets.map(sheet).join('')}
<text x="${x + 14}" y="${y + 23}">${escapeMarkup(fit(name, 22))}</text>
<text x="${x + 14}" y="${y + 40}" class="dim">${escapeMarkup(fit(note, 28))}</text><title>${escapeMarkup(`${name}: ${note === '' ? state : note}`)}</title></g>`;
}

/** One state for all jobs of a step. */
function stateOf(counts: GraphStep['counts']): string {
  if (counts === undefined) return 'waiting';
  const { failed = 0, dead = 0, cancelled = 0, running = 0, ready = 0, blocked = 0 } = counts;
  if (failed + dead > 0) return 'failed';
  if (cancelled > 0) return 'cancelled';
  if (running > 0) return 'running';
  return ready + blocked > 0 ? 'waiting' : 'succeeded';
}

function progressOf(counts: GraphStep['counts'], fansOut: boolean): string {
  if (counts === undefined) return '';
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return fansOut ? `${counts.succeeded ?? 0} of ${all}` : stateOf(counts);
}

function fit(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
