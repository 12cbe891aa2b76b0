/** One training run: its curves, its lineage, and the quality of its result. */
import type { Run as RunView, RunReport } from '@skein/api';
import {
  ago,
  bytes,
  clock,
  Facts,
  Heading,
  linkTo,
  metric,
  percent,
  spaced,
  took,
  useFresh,
  useStore,
  type Of,
  type WithChildren,
} from '@skein/ui';
import { useEffect, useRef } from 'preact/hooks';
import { Refusal } from '../key-dialog.tsx';
import { movedRun, node } from '../node.ts';
import { Curves } from './curves.tsx';
import { headlineOf, servedAs, StatusChip } from './runs.tsx';
import './runs.css';
import type { ViewProps } from '../view.ts';

/** A larger confusion matrix is for programs. */
const CLASSES = 20;

export function Run({ route: { parts }, focus }: ViewProps) {
  const id = parts[0] ?? '';
  const moved = useStore(movedRun);
  const seen = useRef<RunView | undefined>(undefined);
  const stale = useRef(false);
  const { value, error, poke } = useFresh(
    { everyMs: 30_000, gapMs: 500, identity: id },
    async (signal) => {
      // A run that has ended changes only with an event.
      if (seen.current !== undefined && !stale.current && seen.current.status !== 'running') {
        return seen.current;
      }
      stale.current = false;
      seen.current = await node().getRun({ id }, { signal });
      return seen.current;
    },
  );
  useEffect(() => {
    if (moved?.id !== id || moved.updatedAt === seen.current?.updatedAt) return;
    stale.current = true;
    poke();
  }, [moved]);
  return (
    <section>
      <p class="back">
        <a href={linkTo('runs')}>All runs</a>
      </p>
      <div class="head">
        <Heading focus={focus}>{value?.name ?? ''}</Heading>
        <span role="status">{value === undefined ? null : <StatusChip {...value} />}</span>
        <strong class="headline">{value === undefined ? '' : headlineOf(value)}</strong>
      </div>
      <Refusal error={error} />
      {value === undefined ? null : <About run={value} />}
    </section>
  );
}

function About({ run }: { readonly run: RunView }) {
  return (
    <div>
      {run.reason === '' ? null : <p class="why">{run.reason}</p>}
      <Curves runs={[run]} />
      <div class="cards">
        <Card title="Run">
          <RunFacts run={run} />
        </Card>
        <Card title="Lineage">
          <LineageFacts of={run.lineage} />
        </Card>
      </div>
      {run.result?.report === undefined ? null : <Report of={run.result.report} />}
      <details class="panel card">
        <summary>All settings of the run</summary>
        <Facts
          of={Object.entries(run.plan).map(([name, value]) => [spaced(name), String(value)])}
        />
      </details>
    </div>
  );
}

function Card({ title, children }: WithChildren & { readonly title: string }) {
  return (
    <article class="panel card">
      <h3>{title}</h3>
      {children}
    </article>
  );
}

/** The beginning of a digest, which is enough to identify it. */
function Short({ digest }: { readonly digest: string }) {
  return <code title={digest}>{`${digest.slice(0, 12)}…`}</code>;
}

function RunFacts({ run }: { readonly run: RunView }) {
  const { result, steps, epochs, newest } = run;
  const total = epochs.reduce((sum, { tookMs }) => sum + tookMs, 0);
  const model =
    result === undefined ? undefined : (
      <>
        <Short digest={result.digest} />
        {` ${bytes(result.sizeBytes)}`}
      </>
    );
  return (
    <Facts
      of={[
        ['Id', <code>{run.id}</code>],
        ['Task', run.task],
        ['Steps', `${steps.done.toLocaleString('en')} of ${steps.planned.toLocaleString('en')}`],
        ['Recent loss', newest && metric(newest.loss)],
        ['Best epoch', result?.bestEpoch],
        ['In epochs', took(total)],
        ['Model', model],
        ['Served as', servedAs(run)],
        ['Started', `${clock(run.startedAt)}, ${ago(run.startedAt)}`],
        ['Process', `${run.process.pid} on ${run.process.host}`],
      ]}
    />
  );
}

function LineageFacts({ of: { data, parent, seed, code, environment } }: Of<RunView['lineage']>) {
  return (
    <Facts
      of={[
        ...data.map(
          ({ role, path, digest, rows, version }) =>
            [
              spaced(role),
              <>
                {version === undefined ? (
                  path
                ) : (
                  <a href={linkTo('data', [version.name, version.version])}>{path}</a>
                )}
                {`, ${rows.toLocaleString('en')} rows, sha-256 `}
                <Short digest={version?.manifest ?? digest} />
              </>,
            ] as const,
        ),
        [
          'Parent',
          <>
            {`${parent.path}, sha-256 `}
            <Short digest={parent.digest} />
          </>,
        ],
        ['Seed', String(seed)],
        ['Skein', code.skein],
        ['Commit', code.commit],
        ['Configuration', code.config && <Short digest={code.config} />],
        ['Machine', `${environment.host}, ${environment.cpu}, ${environment.platform}`],
        ['Runtime', `Node ${environment.node}, ONNX Runtime ${environment.onnxRuntime}`],
      ]}
    />
  );
}

/** Figures of a report by name; values that are not numbers are shown elsewhere. */
export function figuresOf(report: RunReport): (readonly [name: string, value: number])[] {
  const { kind: _kind, rows: _rows, ...rest } = report;
  const figures = Object.entries(rest).filter(
    (field): field is [string, number] => typeof field[1] === 'number',
  );
  return report.kind === 'classification'
    ? [...figures, ['calibration error', report.calibration.error]]
    : figures;
}

function Report({ of }: { readonly of: RunReport }) {
  const hasMatrix =
    of.kind === 'classification' && of.confusion.length > 0 && of.confusion.length <= CLASSES;
  return (
    <section class="report">
      <h3>{`On ${of.rows.toLocaleString('en')} validation rows`}</h3>
      <div class="panel card">
        <div class="totals">
          {figuresOf(of).map(([name, value]) => (
            <div>
              <strong>{metric(value)}</strong>
              <span>{spaced(name)}</span>
            </div>
          ))}
        </div>
        {hasMatrix ? <Matrix {...of} /> : null}
      </div>
    </section>
  );
}

function Matrix({ confusion, classes }: Extract<RunReport, { kind: 'classification' }>) {
  return (
    <div class="scroll">
      <table class="matrix">
        <caption>Rows by true class (down) and predicted class (across)</caption>
        <thead>
          <tr>
            <td />
            {classes.map((name) => (
              <th scope="col">{name}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {confusion.map((row, index) => {
            const total = row.reduce((sum, count) => sum + count, 0) || 1;
            return (
              <tr>
                <th scope="row">{classes[index] ?? String(index)}</th>
                {row.map((count, column) => (
                  <td
                    data-right={column === index ? '' : undefined}
                    style={{ '--share': percent(count / total) }}
                    title={percent(count / total)}
                  >
                    {count.toLocaleString('en')}
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
