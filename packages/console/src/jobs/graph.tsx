/**
 * The jobs of a group, a pipeline, a map or a gang, as a graph: each column holds what may run at the
 * same time, and a line leads from each parent to its child. A large group is folded.
 */
import type { JobView } from '@skein/api';
import { safeLine } from '@skein/api/safe-text';
import { linkTo } from '@skein/ui';
import { Picture, type PictureNode } from '../picture.tsx';
import { folded } from './folded.ts';
import { countsText, toneOf } from './state.tsx';

/** A group with more jobs is folded. */
export const MOST = 200;
/**
 * Column of each job: one more than the largest of its parents that are shown.
 * @returns by id; a cycle, which the store does not accept, would end in column 0.
 */
export function columnsOf(
  jobs: readonly Pick<JobView, 'id' | 'parents'>[],
): ReadonlyMap<string, number> {
  const byId = new Map(jobs.map((job) => [job.id, job]));
  const columns = new Map<string, number>();
  const columnOf = (id: string, depth: number): number => {
    const known = columns.get(id);
    if (known !== undefined) return known;
    if (depth > jobs.length) return 0;
    const parents = byId.get(id)?.parents.filter((parent) => byId.has(parent)) ?? [];
    const column = Math.max(-1, ...parents.map((parent) => columnOf(parent, depth + 1))) + 1;
    columns.set(id, column);
    return column;
  };
  for (const { id } of jobs) columnOf(id, 0);
  return columns;
}

export function Graph({
  jobs,
  group,
}: {
  readonly jobs: readonly JobView[];
  readonly group: string;
}) {
  if (jobs.length < 2) return null;
  const nodes = jobs.length <= MOST ? jobNodes(jobs) : foldedNodes(jobs, group);
  if (nodes.length > MOST) return null;
  return <Picture nodes={nodes} label={`${jobs.length} jobs and what they wait for`} />;
}

/** Oldest first, as the list has the newest first. */
function jobNodes(jobs: readonly JobView[]): PictureNode[] {
  const columns = columnsOf(jobs);
  const ordered = jobs.toReversed();
  const places = new Map(ordered.map(({ id }, index) => [id, index]));
  return ordered.map(({ id, name, gang, state, parents }): PictureNode => {
    const line = safeLine(gang === undefined ? name : `rank ${gang.rank} · ${name}`);
    return {
      label: line,
      title: safeLine(`${name}: ${state}`),
      tone: toneOf(state),
      href: linkTo('jobs', [id]),
      column: columns.get(id) ?? 0,
      parents: parents.flatMap((parent) => places.get(parent) ?? []),
    };
  });
}

function foldedNodes(jobs: readonly JobView[], group: string): PictureNode[] {
  return folded(jobs, columnsOf(jobs), MOST).map((node): PictureNode => {
    const { name, counts, column, parents, id } = node;
    const worst = WORST_FIRST.find((state) => counts[state] !== undefined)!;
    const note = countsText(counts);
    const line = safeLine(name);
    return {
      label: node.jobs === 1 ? line : `${node.jobs} × ${line}`,
      note,
      title: `${line}: ${note}`,
      tone: toneOf(worst),
      href: id === undefined ? linkTo('jobs', [], { group, state: worst }) : linkTo('jobs', [id]),
      column,
      parents,
    };
  });
}

/** A node of many jobs has the colour of the first of these states that one of its jobs is in. */
const WORST_FIRST: readonly JobView['state'][] = [
  'dead',
  'failed',
  'cancelled',
  'running',
  'ready',
  'blocked',
  'succeeded',
];
