/** On the page of a job: the jobs that it started, or the other ranks of its gang, with their graph. */
import type { JobView } from '@skein/api';
import { hasEnded } from '@skein/api/job-states';
import { linkTo, useFresh } from '@skein/ui';
import { node } from '../node.ts';
import { Graph, MOST } from './graph.tsx';
import { STATES } from './state.tsx';

export function Steps({ job: { id, state, gang, group = id } }: { readonly job: JobView }) {
  const of = gang === undefined ? id : group;
  const everyMs = hasEnded(state) ? 15_000 : 3000;
  // A browser has six connections to a node, and every stream of events keeps one.
  const { value } = useFresh({ everyMs, identity: of }, (signal) =>
    node().listJobs({ group: of, limit: MOST }, { signal }),
  );
  const { jobs = [], next } = value ?? {};
  if (jobs.length === 0) return null;
  const counts = STATES.flatMap((state) => {
    const count = jobs.filter((job) => job.state === state).length;
    return count === 0 ? [] : `${count} ${state}`;
  });
  return (
    <section>
      <h3>{gang === undefined ? 'Its jobs' : 'Its gang'}</h3>
      <p class="group">
        <a href={linkTo('jobs', [], { group: of })}>
          {next === undefined ? counts.join(', ') : `More than ${jobs.length} jobs`}
        </a>
      </p>
      {next === undefined ? <Graph jobs={jobs} /> : null}
    </section>
  );
}
