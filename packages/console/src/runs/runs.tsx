/** The training runs, newest first; two of them can be compared. */
import type { Run, RunSummary } from '@skein/api';
import {
  Chip,
  Empty,
  Heading,
  linkTo,
  metric,
  Moment,
  Progress,
  Table,
  useFresh,
  useStore,
  type Tone,
} from '@skein/ui';
import { useEffect, useState } from 'preact/hooks';
import { Refusal } from '../key-dialog.tsx';
import { movedRun, node } from '../node.ts';
import './runs.css';
import type { ViewProps } from '../view.ts';

const LIMIT = 200;
const TITLES = ['Run', 'Status', 'Result', 'Epochs', 'Served as', 'Started', 'Compare'];
const TRAIN = 'skein train --model mlp:16 --data train.csv --label diagnosis --deploy risk';

const TONES: Readonly<Record<Run['status'], Tone>> = {
  running: 'accent',
  finished: 'good',
  interrupted: 'warn',
  failed: 'bad',
};

export function StatusChip({ status, reason }: Pick<Run, 'status' | 'reason'>) {
  return (
    <Chip tone={TONES[status]} title={reason}>
      {status}
    </Chip>
  );
}

/** The numbers of a run that fit into one line. */
export function headlineOf(run: RunSummary | Run): string {
  const report = run.result?.report;
  if (report?.kind === 'classification') return `accuracy ${metric(report.accuracy)}`;
  if (report?.kind === 'regression') return `RMSE ${metric(report.rmse)}`;
  const newest = 'epochs' in run ? run.epochs.at(-1) : run.last;
  return newest === undefined ? '–' : `loss ${metric(newest.loss)}`;
}

export function servedAs({ versions }: Pick<Run, 'versions'>): string {
  return versions.map(({ model, version }) => `${model} v${version}`).join(', ');
}

export function Runs({ route: { query }, focus }: ViewProps) {
  /** Ids, the one chosen last at the end. */
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const moved = useStore(movedRun);
  const { after } = query;
  const { value, error, poke } = useFresh({ everyMs: 30_000, identity: after ?? '' }, (signal) =>
    node().listRuns({ limit: LIMIT, after }, { signal }),
  );
  useEffect(() => {
    if (moved !== undefined) poke();
  }, [moved]);
  const runs = value?.runs ?? [];
  const compared = chosen.filter((id) => runs.some((run) => run.id === id));
  return (
    <section>
      <div class="head">
        <Heading focus={focus}>Runs</Heading>
        {compared.length < 2 ? null : (
          <a class="act" href={linkTo('runs', compared)}>
            Compare the two
          </a>
        )}
      </div>
      <Refusal error={error} />
      {after === undefined ? null : (
        <p class="group">
          <a href={linkTo('runs')}>Newest runs</a>
        </p>
      )}
      {runs.length === 0 ? null : (
        <Table titles={TITLES}>
          <tbody>
            {runs.map((run) => (
              <Row
                key={run.id}
                run={run}
                isChosen={chosen.includes(run.id)}
                choose={(on) =>
                  setChosen(
                    [...chosen.filter((id) => id !== run.id), ...(on ? [run.id] : [])].slice(-2),
                  )
                }
              />
            ))}
          </tbody>
        </Table>
      )}
      {value?.next === undefined ? null : (
        <p>
          <a href={linkTo('runs', [], { after: value.next })}>Older</a>
        </p>
      )}
      {value?.runs.length === 0 && after === undefined ? (
        <Empty command={TRAIN}>Nothing has been trained yet.</Empty>
      ) : null}
    </section>
  );
}

function Row({
  run,
  isChosen,
  choose,
}: {
  readonly run: RunSummary;
  readonly isChosen: boolean;
  readonly choose: (on: boolean) => void;
}) {
  const { id, name, plan, last, startedAt, steps, status } = run;
  const done = steps.planned === 0 ? 0 : Math.min(steps.done / steps.planned, 1);
  return (
    <tr data-id={id}>
      <th scope="row">
        <a href={linkTo('runs', [id])}>{name}</a>
        <small class="id">{id}</small>
      </th>
      <td>
        <StatusChip {...run} />
      </td>
      <td>{headlineOf(run)}</td>
      <td>
        {`${last?.epoch ?? 0} of ${plan['epochs'] ?? '?'}`}
        {status === 'running' ? <Progress fraction={done} label="Steps" /> : null}
      </td>
      <td>{servedAs(run) || '–'}</td>
      <td>
        <Moment at={startedAt} />
      </td>
      <td>
        <input
          type="checkbox"
          aria-label={`Compare ${id}`}
          checked={isChosen}
          onChange={({ currentTarget }) => choose(currentTarget.checked)}
        />
      </td>
    </tr>
  );
}
