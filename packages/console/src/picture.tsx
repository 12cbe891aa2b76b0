/** Things and what they come from, as a picture: each column holds what stands next to each other, lines lead on. */
import type { Tone } from '@skein/ui';
import './picture.css';

const WIDTH = 168;
const HEIGHT = 34;
/** With a line of counts. */
const TALL = 52;
const GAP_X = 46;
const GAP_Y = 10;

export interface PictureNode {
  readonly label: string;
  /** A second line. */
  readonly note?: string;
  readonly title: string;
  readonly tone: Tone;
  /** Absent: it leads nowhere. */
  readonly href?: string;
  readonly column: number;
  /** Places in the list of nodes. */
  readonly parents: readonly number[];
}

interface Place {
  readonly x: number;
  readonly y: number;
}

export function Picture({
  nodes,
  label: name,
}: {
  readonly nodes: readonly PictureNode[];
  readonly label: string;
}) {
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
    <div
      class="panel scroll graph"
      // Without a link in it, the keyboard could not scroll it.
      tabIndex={nodes.some(({ href }) => href !== undefined) ? undefined : 0}
    >
      <svg
        viewBox={`-2 -2 ${width + 4} ${height + 4}`}
        width={width + 4}
        height={height + 4}
        role="group"
        aria-label={name}
      >
        {nodes.flatMap(({ parents }, index) =>
          parents.map((parent) => <path d={curve(places[parent]!, places[index]!, boxHeight)} />),
        )}
        {nodes.map(({ label, note, title, tone, href }, index) => {
          const { x, y } = places[index]!;
          const box = (
            <>
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
            </>
          );
          return href === undefined ? (
            <g data-tone={tone}>{box}</g>
          ) : (
            <a href={href} data-tone={tone}>
              {box}
            </a>
          );
        })}
      </svg>
    </div>
  );
}

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
