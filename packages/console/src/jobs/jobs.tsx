/**
 * The jobs, newest first: queued, running and ended, updated as it happens. Pipelines, maps and gangs
 * are a row each, unless the list is asked for a state or a group.
 */
import { defined } from '@skein/api/defined';
import type { JobView } from '@skein/api';
import type { JobEvent } from '@skein/api/client';
import { safeLine } from '@skein/api/safe-text';
import {
  Empty,
  Heading,
  linkTo,
  Moment,
  percent,
  Progress,
  Table,
  took,
  useClock,
  useEvents,
  useFresh,
} from '@skein/ui';
import { useEffect, useState } from 'preact/hooks';
import { Refusal } from '../key-dialog.tsx';
import { node, session } from '../node.ts';
import { Graph } from './graph.tsx';
import { StateChip, STATES, tookMs } from './state.tsx';
import type { ViewProps } from '../view.ts';

const PAGE = 50;
const MOST = 1000;

type Filter = Readonly<Record<string, string>>;
type JobChange = Pick<JobEvent, 'state' | 'cause' | 'progress'>;

export function Jobs({ route: { query }, focus }: ViewProps) {
  const isGrouped = !query['state'] && !query['group'];
  const [limit, setLimit] = useState(PAGE);
  /** Changes of jobs that events reported since the jobs were loaded. */
  const [changes, setChanges] = useState<ReadonlyMap<string, JobChange>>(new Map());
  const identity = JSON.stringify([query, limit]);
  const { value, error, poke } = useFresh({ everyMs: 15_000, identity }, async (signal) => {
    const folded = isGrouped ? { folded: 'true' } : {};
    const asked = { ...query, ...folded, limit } as Parameters<
      ReturnType<typeof node>['listJobs']
    >[0];
    const { jobs, next } = await node().listJobs(asked, { signal });
    const { queues } = await node()
      .listQueues({}, { signal })
      .catch(() => ({ queues: [] }));
    setChanges(new Map());
    return { jobs, next, queues };
  });
  useEffect(() => setLimit(PAGE), [JSON.stringify(query)]);
  useEvents(session, '/api/v1/job-events', {
    connected: () => poke(),
    event(_, data) {
      const { job, kind, state, cause, progress } = data as JobEvent;
      setChanges((before) => {
        const known = progress ?? before.get(job)?.progress;
        return new Map(before).set(job, { state, ...defined({ cause, progress: known }) });
      });
      if (kind === 'state') poke();
    },
  });
  const jobs = value?.jobs.map((job) => ({ ...job, ...changes.get(job.id) }));
  const isFiltered = Object.values(query).some((text) => text !== '');
  return (
    <section>
      <Heading focus={focus}>Jobs</Heading>
      <Filters query={query} queues={value?.queues.map(({ queue }) => queue) ?? []} />
      {query['group'] === undefined ? null : (
        <p class="group">
          <span class="muted">In the group </span>
          {`${query['group']} `}
          <a href={linkTo('jobs', [], { ...query, group: '' })}>Show all</a>
        </p>
      )}
      {query['after'] === undefined ? null : (
        <p class="group">
          <a href={linkTo('jobs', [], { ...query, after: '' })}>Newest jobs</a>
        </p>
      )}
      <Refusal error={error} />
      {query['group'] === undefined || jobs === undefined ? null : (
        <Graph jobs={jobs} group={query['group']} />
      )}
      {jobs === undefined || jobs.length === 0 ? null : <List jobs={jobs} query={query} />}
      {jobs?.length === 0 ? (
        isFiltered ? (
          <Empty>There are no such jobs.</Empty>
        ) : (
          <Empty command="skein run -- echo hello">There are no jobs yet.</Empty>
        )
      ) : null}
      <button
        type="button"
        class="act"
        hidden={value?.next === undefined || limit === MOST}
        onClick={() => setLimit((shown) => Math.min(shown + 2 * PAGE, MOST))}
      >
        Older
      </button>
      {value?.next === undefined || value.jobs.length < MOST ? null : (
        <p>
          <a href={linkTo('jobs', [], { ...query, after: value.next })}>Still older</a>
        </p>
      )}
    </section>
  );
}

function Filters({
  query,
  queues,
}: {
  readonly query: Filter;
  readonly queues: readonly string[];
}) {
  const change = (next: Filter): void => {
    location.replace(linkTo('jobs', [], { ...query, after: '', ...next }));
  };
  return (
    <form class="filters" onSubmit={(event) => event.preventDefault()}>
      <label>
        State
        <select
          value={query['state'] ?? ''}
          onChange={({ currentTarget }) => change({ state: currentTarget.value })}
        >
          <option value="">every state</option>
          {STATES.map((state) => (
            <option value={state}>{state}</option>
          ))}
        </select>
      </label>
      <label>
        Queue
        <input
          type="search"
          placeholder="every queue"
          list="queue-names"
          size={16}
          value={query['queue'] ?? ''}
          onChange={({ currentTarget }) => change({ queue: currentTarget.value.trim() })}
        />
        <datalist id="queue-names">
          {queues.map((queue) => (
            <option value={queue} />
          ))}
        </datalist>
      </label>
    </form>
  );
}

const TITLES = ['Job', 'State', 'Queue', 'Attempts', 'Took', 'Enqueued'];

interface ListProps {
  readonly jobs: readonly JobView[];
  readonly query: Filter;
}

function List({ jobs, query }: ListProps) {
  useClock(1000);
  return (
    <Table titles={TITLES} kind="list jobs">
      <tbody>
        {jobs.map((job) => (
          <Row key={job.id} job={job} query={query} />
        ))}
      </tbody>
    </Table>
  );
}

function Row({ job, query }: { readonly job: JobView } & Pick<ListProps, 'query'>) {
  const { id, behind: group, name, queue, state, attempts, retry, enqueuedAt, message } = job;
  const progress = state === 'running' ? job.progress : undefined;
  const time = tookMs(job);
  return (
    <tr data-id={id} data-state={state}>
      <th scope="row">
        <a href={linkTo('jobs', [id])}>{safeLine(name)}</a>
        <small class="id">{id}</small>
        <small class="note">
          {progress === undefined
            ? (message ?? '')
            : `${percent(progress.fraction)} ${progress.message}`}
        </small>
        {group === undefined ? null : (
          <small class="note">
            <a href={linkTo('jobs', [], { ...query, after: '', group })}>
              {group === id ? 'Its jobs' : job.gang === undefined ? 'Its group' : 'Its gang'}
            </a>
          </small>
        )}
      </th>
      <td>
        <StateChip state={state} cause={job.cause} />
        {progress === undefined ? null : (
          <Progress fraction={progress.fraction} label={progress.message} />
        )}
      </td>
      <td>{queue}</td>
      <td>{attempts.length === 0 ? '–' : `${attempts.length} of ${retry.maxAttempts}`}</td>
      <td>{time === undefined ? '–' : took(time)}</td>
      <td>
        <Moment at={enqueuedAt} />
      </td>
    </tr>
  );
}
