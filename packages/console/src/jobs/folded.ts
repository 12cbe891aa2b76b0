/**
 * A large graph of jobs, folded: jobs that wait for the same parents, or for jobs of the same nodes, are
 * one node with its counts.
 */
import type { JobView } from '@skein/api';

type Listed = Pick<JobView, 'id' | 'name' | 'state' | 'parents'>;

export interface FoldedNode {
  readonly name: string;
  readonly jobs: number;
  readonly counts: Readonly<Partial<Record<JobView['state'], number>>>;
  readonly column: number;
  /** Places in the list of nodes. */
  readonly parents: readonly number[];
  /** The job, where the node is only one. */
  readonly id?: string | undefined;
}

/**
 * @param columns of the jobs, by id; a parent has a smaller one than its children.
 * @param most nodes: beyond it, jobs of different names become one node too.
 */
export function folded(
  jobs: readonly Listed[],
  columns: ReadonlyMap<string, number>,
  most: number,
): FoldedNode[] {
  const byName = foldedBy(jobs, columns, ({ name }) => stem(name));
  return byName.length <= most ? byName : foldedBy(jobs, columns, () => 'jobs');
}

function foldedBy(
  jobs: readonly Listed[],
  columns: ReadonlyMap<string, number>,
  nameOf: (job: Listed) => string,
): FoldedNode[] {
  const columnOf = ({ id }: Listed): number => columns.get(id) ?? 0;
  const places = new Map<string, number>();
  const nodeOf = new Map<string, number>();
  const members: Listed[][] = [];
  const parents: number[][] = [];
  for (const job of jobs.toSorted((a, b) => columnOf(a) - columnOf(b))) {
    const above = [...new Set(job.parents.flatMap((parent) => nodeOf.get(parent) ?? []))].sort(
      (a, b) => a - b,
    );
    const key = `${columnOf(job)} ${above.join()} ${nameOf(job)}`;
    const place = places.get(key) ?? members.length;
    places.set(key, place);
    nodeOf.set(job.id, place);
    (members[place] ??= []).push(job);
    parents[place] = above;
  }
  return members.map((group, place): FoldedNode => {
    const [first] = group as [Listed, ...Listed[]];
    const counts: Partial<Record<JobView['state'], number>> = {};
    for (const { state } of group) counts[state] = (counts[state] ?? 0) + 1;
    const column = columnOf(first);
    const node = { jobs: group.length, counts, column, parents: parents[place] ?? [] };
    return group.length === 1
      ? { ...node, name: first.name, id: first.id }
      : { ...node, name: nameOf(first) };
  });
}

/** The name without what counts: `shard 17` and `shard 18` have one. */
function stem(name: string): string {
  const words = name
    .replaceAll(/\d+/g, '')
    .replaceAll(/[\s\p{P}]+/gu, ' ')
    .trim();
  return words === '' ? name : words;
}
