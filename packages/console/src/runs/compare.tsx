/** Two runs side by side: the differences of their inputs and their results. */
import type { Run } from '@skein/api';
import { Heading, linkTo, metric, spaced, Trouble, useFresh } from '@skein/ui';
import type { ViewProps } from '../app.tsx';
import { askForKey } from '../key-dialog.tsx';
import { node } from '../node.ts';
import { Curves } from './curves.tsx';
import { headlineOf, StatusChip } from './runs.tsx';
import './runs.css';

/** For all other figures, less is better. */
const MORE_IS_BETTER = new Set(['accuracy', 'macroF1', 'auc', 'r2']);
/** Figures of which neither more nor less is better. */
const UNSCORED = new Set(['steps', 'rows']);

type Value = string | number | boolean | undefined;

export function Comparison({ route: { parts }, focus }: ViewProps) {
  const ids = parts.slice(0, 2);
  const { value: runs, error } = useFresh(
    (signal) => Promise.all(ids.map((id) => node().getRun({ id }, { signal }))),
    { everyMs: 10_000 },
    ids.join(' '),
  );
  return (
    <section>
      <p class="back">
        <a href={linkTo('runs')}>All runs</a>
      </p>
      <Heading focus={focus}>Two runs</Heading>
      <Trouble error={error} onKey={(refusal) => void askForKey(refusal)} />
      {runs === undefined ? null : (
        <div>
          <div class="cards">
            {runs.map((run, index) => (
              <article class="panel card" data-run={index}>
                <h3>
                  <i class="key" aria-hidden="true" />
                  <a href={linkTo('runs', [run.id])}>{run.id}</a>
                </h3>
                <p>
                  <StatusChip {...run} /> {headlineOf(run)}
                </p>
              </article>
            ))}
          </div>
          <Curves runs={runs} />
          <Results runs={runs} />
          <Choices runs={runs} />
        </div>
      )}
    </section>
  );
}

interface Pair {
  readonly name: string;
  readonly values: readonly [Value, Value];
}

function pairsOf(runs: readonly Run[], valuesOf: (run: Run) => Record<string, Value>): Pair[] {
  const [a = {}, b = {}] = runs.map(valuesOf);
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].map((name) => ({ name, values: [a[name], b[name]] }));
}

function Results({ runs }: { readonly runs: readonly Run[] }) {
  const pairs = pairsOf(runs, numbersOf);
  return pairs.length === 0 ? null : (
    <PairTable title="Came out" runs={runs} pairs={pairs} scored />
  );
}

function Choices({ runs }: { readonly runs: readonly Run[] }) {
  const differing = pairsOf(runs, choicesOf).filter(({ values: [a, b] }) => a !== b);
  if (differing.length === 0) {
    return <p class="muted">Both were made of the same, in the same way.</p>;
  }
  return <PairTable title="Went in, where it differs" runs={runs} pairs={differing} />;
}

function PairTable({
  title,
  runs,
  pairs,
  scored = false,
}: {
  readonly title: string;
  readonly runs: readonly Run[];
  readonly pairs: readonly Pair[];
  readonly scored?: boolean;
}) {
  return (
    <section>
      <h3>{title}</h3>
      <div class="panel scroll">
        <table class="list">
          <thead>
            <tr>
              <td />
              {runs.map(({ id }) => (
                <th scope="col">{id}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {pairs.map(({ name, values: [a, b] }) => (
              <tr>
                <th scope="row">{spaced(name)}</th>
                <Cell value={a} wins={scored && isBetter(name, a, b)} scored={scored} />
                <Cell value={b} wins={scored && isBetter(name, b, a)} scored={scored} />
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Cell({
  value,
  wins,
  scored,
}: {
  readonly value: Value;
  readonly wins: boolean;
  readonly scored: boolean;
}) {
  return (
    <td data-better={wins ? '' : undefined}>
      {typeof value === 'number' && scored ? metric(value) : textOf(value)}
      {wins ? <small> better</small> : null}
    </td>
  );
}

function isBetter(name: string, value: Value, other: Value): boolean {
  if (UNSCORED.has(name) || value === undefined || other === undefined || value === other) {
    return false;
  }
  return value > other === MORE_IS_BETTER.has(name);
}

function textOf(value: Value): string {
  if (value === undefined) return '–';
  // The beginning of a digest identifies it.
  return /^[0-9a-f]{64}$/.test(String(value)) ? `${String(value).slice(0, 12)}…` : String(value);
}

function choicesOf({ plan, lineage, task }: Run): Record<string, Value> {
  const { data, parent, code, environment, seed } = lineage;
  return {
    task,
    ...plan,
    seed,
    ...Object.fromEntries(data.map(({ role, digest }) => [`${role} data`, digest])),
    parent: parent.digest,
    commit: code.commit,
    configuration: code.config,
    ...environment,
  };
}

function numbersOf({ epochs, result, steps }: Run): Record<string, Value> {
  const reported = Object.entries(result?.report ?? {}).filter(
    (field): field is [string, number] => typeof field[1] === 'number',
  );
  const loss = epochs.at(-1)?.loss;
  return {
    ...Object.fromEntries(reported),
    ...(loss === undefined ? {} : { trainingLoss: loss }),
    steps: steps.done,
    secondsInEpochs: epochs.reduce((sum, { tookMs }) => sum + tookMs, 0) / 1000,
  };
}
