/**
 * The jobs of a group, a pipeline, a map or a gang, as a graph: each column holds what may run at the
 * same time, and a line leads from each parent to its child.
 */
import type { JobView } from '@skein/api';
import { safeLine } from '@skein/api/safe-text';
import { linkTo } from '@skein/ui';
import { toneOf } from './state.tsx';

/** A group with more jobs is a list, not a picture. */
export const MOST = 200;
const WIDTH = 168;
const HEIGHT = 34;
const GAP_X = 46;
const GAP_Y = 10;

interface Place {
  readonly job: JobView;
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

export function Graph({ jobs }: { readonly jobs: readonly JobView[] }) {
  if (jobs.length < 2 || jobs.length > MOST) return null;
  const columns = columnsOf(jobs);
  const rows = new Map<number, number>();
  const places = new Map<string, Place>();
  for (const job of jobs.toReversed()) {
    const column = columns.get(job.id) ?? 0;
    const row = rows.get(column) ?? 0;
    rows.set(column, row + 1);
    places.set(job.id, { job, x: column * (WIDTH + GAP_X), y: row * (HEIGHT + GAP_Y) });
  }
  const width = (Math.max(...columns.values()) + 1) * (WIDTH + GAP_X) - GAP_X;
  const height = Math.max(...rows.values()) * (HEIGHT + GAP_Y) - GAP_Y;
  const edges = [...places.values()].flatMap((to) =>
    to.job.parents.flatMap((parent) => {
      const from = places.get(parent);
      return from === undefined ? [] : [{ from, to }];
    }),
  );
  return (
    <div class="panel scroll graph">
      <svg
        viewBox={`-2 -2 ${width + 4} ${height + 4}`}
        width={width + 4}
        height={height + 4}
        role="group"
        aria-label={`${jobs.length} jobs and what they wait for`}
      >
        {edges.map(({ from, to }) => (
          <path d={curve(from, to)} />
        ))}
        {[...places.values()].map(({ job, x, y }) => (
          <a href={linkTo('jobs', [job.id])} data-tone={toneOf(job.state)}>
            <title>{safeLine(`${job.name}: ${job.state}`)}</title>
            <rect x={x} y={y} width={WIDTH} height={HEIGHT} rx={8} />
            <text x={x + 12} y={y + HEIGHT / 2 + 4}>
              {short(job)}
            </text>
          </a>
        ))}
      </svg>
    </div>
  );
}

function curve(from: Place, to: Place): string {
  const [x, y] = [from.x + WIDTH, from.y + HEIGHT / 2];
  const middle = x + GAP_X / 2;
  const end = to.y + HEIGHT / 2;
  return `M${x},${y}C${middle},${y} ${middle},${end} ${to.x},${end}`;
}

const LETTERS = 22;

function short({ name, gang }: JobView): string {
  const full = safeLine(gang === undefined ? name : `rank ${gang.rank} · ${name}`);
  return full.length > LETTERS ? `${full.slice(0, LETTERS - 1)}…` : full;
}
