/** The result of a benchmark: a table for people, one JSON document for machines. */
import type { Machine } from './machine.ts';

/** One row of the acceptance table. */
export interface Measure {
  readonly key: string;
  readonly what: string;
  readonly unit: string;
  /** The bound that the project promises. `null`: informative only. */
  readonly target: { readonly atLeast: number } | { readonly atMost: number } | null;
}

export interface BenchReport {
  readonly name: string;
  readonly peer: string;
  readonly measures: readonly Measure[];
  readonly results: Readonly<Record<string, number>>;
  /** Absolute figures behind the ratios. */
  readonly details: Readonly<Record<string, unknown>>;
}

export function meets(measure: Measure, value: number): boolean {
  if (measure.target === null) return true;
  return 'atLeast' in measure.target
    ? value >= measure.target.atLeast
    : value <= measure.target.atMost;
}

/** Nothing where nothing is promised, or nothing was measured: a short run leaves rows out. */
function verdict(measure: Measure, value: number | undefined): string {
  if (measure.target === null || value === undefined) return '';
  return meets(measure, value) ? 'yes' : 'NO';
}

function show(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2);
}

function bound(measure: Measure): string {
  if (measure.target === null) return '';
  return 'atLeast' in measure.target ? `≥ ${measure.target.atLeast}` : `≤ ${measure.target.atMost}`;
}

/** A Markdown table: it reads in a terminal and pastes into the README. */
export function renderTable(report: BenchReport, machine: Machine): string {
  const rows = report.measures.map((measure) => {
    const value = report.results[measure.key];
    const measured = value === undefined ? 'not measured' : `${show(value)}${measure.unit}`;
    const kept = verdict(measure, value);
    return [measure.what, `\`${measure.key}\``, measured, bound(measure), kept];
  });
  const header = ['what', 'key', 'measured', 'promised', 'kept'];
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [
    line(header),
    line(widths.map((width) => '-'.repeat(width))),
    ...rows.map(line),
    '',
    `Measured on ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}, Node ${machine.node}, ${machine.at.slice(0, 10)}.`,
    `Peer: ${report.peer}.`,
  ].join('\n');
}
