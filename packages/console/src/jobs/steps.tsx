/** On the page of a job: the jobs that it started, or the ranks of its gang, with their counts and their graph. */
import type { JobView } from '@skein/api';
import { hasEnded } from '@skein/api/job-states';
import { linkTo, useFresh } from '@skein/ui';
import { node } from '../node.ts';
import { Graph, MOST } from './graph.tsx';
import { countsText } from './state.tsx';

/** Jobs whose graph is folded; of a larger group, the newest. */
const MOST_FOLDED = 1000;

export function Steps({ job: { id, state, gang, group = id } }: { readonly job: JobView }) {
  const of = gang === undefined ? id : group;
  const everyMs = hasEnded(state) ? 15_000 : 3000;
  // A browser has six connections to a node, and every stream of events keeps one.
  const { value } = useFresh({ everyMs, identity: of }, async (signal) => {
    const { counts } = await node().getJobGroup({ id: of }, { signal });
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const limit = Math.min(MOST_FOLDED, Math.max(MOST, total));
    const { jobs } =
      total === 0 ? { jobs: [] } : await node().listJobs({ group: of, limit }, { signal });
    return { counts, total, jobs };
  });
  if (value === undefined || value.total === 0) return null;
  const { counts, total, jobs } = value;
  return (
    <section>
      <h3>{gang === undefined ? 'Its jobs' : 'Its gang'}</h3>
      <p class="group">
        <a href={linkTo('jobs', [], { group: of })}>{countsText(counts)}</a>
      </p>
      {jobs.length < total ? (
        <p class="muted">{`The graph shows the newest ${jobs.length} of ${total} jobs.`}</p>
      ) : null}
      <Graph jobs={jobs} group={of} />
    </section>
  );
}
