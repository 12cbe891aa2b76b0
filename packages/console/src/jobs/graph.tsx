/**
 * The jobs of a group, a pipeline, a map or a gang, as a graph: each column holds what may run at the
 * same time, and a line leads from each parent to its child. A large group is folded.
 */
import type { JobView } from '@skein/api';
import { safeLine } from '@skein/api/safe-text';
import { linkTo, type Tone } from '@skein/ui';
import { folded } from './folded.ts';
import { countsText, toneOf } from './state.tsx';

/** A group with more jobs is folded. */
export const MOST = 200;
const WIDTH = 168;
const HEIGHT = 34;
/** With a line of counts. */
const TALL = 52;
const GAP_X = 46;
const GAP_Y = 10;

interface Node {
  readonly label: string;
  /** The counts of a node of many jobs. */
  readonly note?: string;
  readonly title: string;
  readonly tone: Tone;
  readonly href: string;
  readonly column: number;
  /** Places in the list of nodes. */
  readonly parents: readonly number[];
}

interface Place {
  readonly x: number;
  readonly y: number;
}

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
  const boxHeight = nodes.some(({ note }) => note !== undefined) ? TALL : HEIGHT;
  const rows = new Map<number, number>();
  const places = nodes.map(({ column }): Place => {
    const row = rows.get(column) ?? 0;
    rows.set(column, row + 1);
    return { x: column * (WIDTH + GAP_X), y: row * (boxHeight + GAP_Y) };
  });
  const width = (Math.max(...rows.keys()) + 1) * (WIDTH + GAP_X) - GAP_X;
  const height = Math.max(...rows.values()) * (boxHeight + GAP_Y) - GAP_Y;
  return (
    <div class="panel scroll graph">
      <svg
        viewBox={`-2 -2 ${width + 4} ${height + 4}`}
        width={width + 4}
        height={height + 4}
        role="group"
        aria-label={`${jobs.length} jobs and what they wait for`}
      >
        {nodes.flatMap(({ parents }, index) =>
          parents.map((parent) => <path d={curve(places[parent]!, places[index]!, boxHeight)} />),
        )}
        {nodes.map(({ label, note, title, tone, href }, index) => {
          const { x, y } = places[index]!;
          return (
            <a href={href} data-tone={tone}>
              <title>{title}</title>
              <rect x={x} y={y} width={WIDTH} height={boxHeight} rx={8} />
              <text x={x + 12} y={y + HEIGHT / 2 + 4}>
                {short(label)}
              </text>
              {note === undefined ? null : (
                <text class="counts" x={x + 12} y={y + TALL - 12}>
                  {short(note)}
                </text>
              )}
            </a>
          );
        })}
      </svg>
    </div>
  );
}

/** Oldest first, as the list has the newest first. */
function jobNodes(jobs: readonly JobView[]): Node[] {
  const columns = columnsOf(jobs);
  const ordered = jobs.toReversed();
  const places = new Map(ordered.map(({ id }, index) => [id, index]));
  return ordered.map(({ id, name, gang, state, parents }): Node => {
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

function foldedNodes(jobs: readonly JobView[], group: string): Node[] {
  return folded(jobs, columnsOf(jobs), MOST).map((node): Node => {
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

function curve(from: Place, to: Place, boxHeight: number): string {
  const [x, y] = [from.x + WIDTH, from.y + boxHeight / 2];
  const middle = x + GAP_X / 2;
  const end = to.y + boxHeight / 2;
  return `M${x},${y}C${middle},${y} ${middle},${end} ${to.x},${end}`;
}

const LETTERS = 22;

function short(line: string): string {
  return line.length > LETTERS ? `${line.slice(0, LETTERS - 1)}…` : line;
}
