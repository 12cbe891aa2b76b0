/** Comparison of two training runs, for the command line and the console: without a schema, so that a page stays small. */
import type { Run } from './resources/run.ts';

type Value = string | number | boolean | undefined;

export interface RunComparison {
  /** Settings and lineage in which the runs differ. */
  readonly differences: readonly { readonly name: string; readonly a: Value; readonly b: Value }[];
  /** Metrics of both runs, and which is better. */
  readonly metrics: readonly {
    readonly name: string;
    readonly a: number | undefined;
    readonly b: number | undefined;
    readonly better?: 'a' | 'b';
  }[];
}

/** Metrics whose higher value is better; for all others, a lower value is. */
const MORE_IS_BETTER = new Set(['accuracy', 'macroF1', 'auc', 'r2']);
/** Metrics whose values are neither better nor worse. */
const UNSCORED = new Set(['steps', 'rows']);

export function compareRuns(a: Run, b: Run): RunComparison {
  return {
    differences: pairsOf(choicesOf(a), choicesOf(b)).filter((pair) => pair.a !== pair.b),
    metrics: pairsOf(numbersOf(a), numbersOf(b)).map((pair) => ({ ...pair, ...betterOf(pair) })),
  };
}

/** A setting as text; the beginning of a digest identifies it. */
export function valueText(value: Value): string {
  if (value === undefined) return '–';
  return /^[0-9a-f]{64}$/.test(String(value)) ? `${String(value).slice(0, 12)}…` : String(value);
}

interface Pair<T> {
  readonly name: string;
  readonly a: T | undefined;
  readonly b: T | undefined;
}

function pairsOf<T>(a: Readonly<Record<string, T>>, b: Readonly<Record<string, T>>): Pair<T>[] {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].map((name) => ({ name, a: a[name], b: b[name] }));
}

function choicesOf({ plan, lineage, task }: Run): Readonly<Record<string, Value>> {
  const { data, parent, code, environment } = lineage;
  return {
    task,
    ...plan,
    ...Object.fromEntries(data.map(({ role, digest }) => [`${role} digest`, digest])),
    'parent digest': parent.digest,
    commit: code.commit,
    configuration: code.config,
    ...environment,
  };
}

function numbersOf({ epochs, result, steps }: Run): Readonly<Record<string, number>> {
  const report: Readonly<Record<string, unknown>> = result?.report ?? {};
  const reported = Object.entries(report).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number',
  );
  const loss = epochs.at(-1)?.loss;
  return {
    ...Object.fromEntries(reported),
    ...(loss === undefined ? {} : { trainingLoss: loss }),
    steps: steps.done,
    tookMs: epochs.reduce((sum, { tookMs }) => sum + tookMs, 0),
  };
}

function betterOf({ name, a, b }: Pair<number>): { readonly better?: 'a' | 'b' } {
  if (a === undefined || b === undefined || a === b || UNSCORED.has(name)) return {};
  return { better: a > b === MORE_IS_BETTER.has(name) ? 'a' : 'b' };
}
