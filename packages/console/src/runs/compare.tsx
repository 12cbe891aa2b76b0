/** Two runs side by side: the differences of their inputs and their results. */
import type { Run } from '@skein/api';
import { compareRuns, valueText } from '@skein/api/run-comparison';
import { Heading, linkTo, metric, spaced, useFresh } from '@skein/ui';
import { Refusal } from '../key-dialog.tsx';
import { node } from '../node.ts';
import { Curves } from './curves.tsx';
import { headlineOf, StatusChip } from './runs.tsx';
import './runs.css';
import type { ViewProps } from '../view.ts';

export function Comparison({ route: { parts }, focus }: ViewProps) {
  const ids = parts.slice(0, 2);
  const { value: runs, error } = useFresh({ everyMs: 10_000, identity: ids.join(' ') }, (signal) =>
    Promise.all(ids.map((id) => node().getRun({ id }, { signal }))),
  );
  return (
    <section>
      <p class="back">
        <a href={linkTo('runs')}>All runs</a>
      </p>
      <Heading focus={focus}>Two runs</Heading>
      <Refusal error={error} />
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
          <Sides runs={runs} />
        </div>
      )}
    </section>
  );
}

function Sides({ runs }: { readonly runs: readonly Run[] }) {
  const [a, b] = runs;
  if (a === undefined || b === undefined) return null;
  const { metrics, differences } = compareRuns(a, b);
  return (
    <>
      <Pairs title="Results" runs={runs} pairs={metrics} show={shownNumber} />
      {differences.length === 0 ? (
        <p class="muted">Both runs have the same inputs and settings.</p>
      ) : (
        <Pairs title="Inputs that differ" runs={runs} pairs={differences} show={valueText} />
      )}
    </>
  );
}

const shownNumber = (value: number | undefined) =>
  value === undefined ? valueText(value) : metric(value);

function Pairs<T>({
  title,
  runs,
  pairs,
  show,
}: {
  readonly title: string;
  readonly runs: readonly Run[];
  readonly pairs: readonly {
    readonly name: string;
    readonly a: T;
    readonly b: T;
    readonly better?: 'a' | 'b';
  }[];
  readonly show: (value: T) => string;
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
            {pairs.map(({ name, a, b, better }) => (
              <tr>
                <th scope="row">{spaced(name)}</th>
                <Cell text={show(a)} wins={better === 'a'} />
                <Cell text={show(b)} wins={better === 'b'} />
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Cell({ text, wins }: { readonly text: string; readonly wins: boolean }) {
  return (
    <td data-better={wins ? '' : undefined}>
      {text}
      {wins ? <small> better</small> : null}
    </td>
  );
}
