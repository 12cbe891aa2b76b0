/** Two runs side by side. Pure. */
import type { Run } from '@skein/api';

type Value = string | number | boolean | undefined;

export interface Comparison {
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

/** Metrics of which a higher value is better; for all others, a lower value is. */
const MORE_IS_BETTER = new Set(['accuracy', 'macroF1', 'auc', 'r2']);

export function compareRuns(a: Run, b: Run): Comparison {
  const [ofA, ofB] = [choicesOf(a), choicesOf(b)];
  const names = [...new Set([...Object.keys(ofA), ...Object.keys(ofB)])];
  const differences = names
    .filter((name) => ofA[name] !== ofB[name])
    .map((name) => ({ name, a: ofA[name], b: ofB[name] }));
  const [fromA, fromB] = [numbersOf(a), numbersOf(b)];
  const measured = [...new Set([...Object.keys(fromA), ...Object.keys(fromB)])];
  const metrics = measured.map((name) => {
    const [first, second] = [fromA[name], fromB[name]];
    const better = betterOf(name, first, second);
    return { name, a: first, b: second, ...(better === undefined ? {} : { better }) };
  });
  return { differences, metrics };
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

function betterOf(
  name: string,
  a: number | undefined,
  b: number | undefined,
): 'a' | 'b' | undefined {
  if (a === undefined || b === undefined || a === b || name === 'steps' || name === 'rows') {
    return undefined;
  }
  return a > b === MORE_IS_BETTER.has(name) ? 'a' : 'b';
}
