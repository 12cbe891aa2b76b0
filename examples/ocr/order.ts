/**
 * Reading order: row by row, each row from where its text begins.
 *
 * A scan is rarely straight, and two pixels of slope per hundred are enough to interleave the rows
 * of a table. So the page is first levelled by the mean direction of its text.
 */
import type { Reading } from './ctc.ts';
import { centreOf, depthOf, lengthOf, type Point, type Quad } from './geometry.ts';

/** Overlap across the text, as a share of the lower line, from which two lines stand in one row. */
const SAME_ROW = 0.5;

/** Mean probability below which a reading is noise, as in PaddleOCR. */
const LEAST_CONFIDENCE = 0.5;

export interface Line extends Reading {
  readonly quad: Quad;
}

/** @param readings one for each quad. @returns what is text, as a person reads it. */
export function orderedLines(quads: readonly Quad[], readings: readonly Reading[]): Line[] {
  const lines = quads.map((quad, index) => ({ quad, ...readings[index]! }));
  const read = lines.filter(
    (line) => line.text.trim() !== '' && line.confidence >= LEAST_CONFIDENCE,
  );
  return readingOrder(read.map((line) => line.quad)).map((index) => read[index]!);
}

/** @returns indices into `quads`, which begin at the top left of their text. */
export function readingOrder(quads: readonly Quad[]): number[] {
  const along = meanDirection(quads);
  const lines = quads.map((quad, index) => {
    const { x, y } = centreOf(quad);
    return {
      index,
      x: x * along.x + y * along.y,
      y: y * along.x - x * along.y,
      depth: depthOf(quad),
    };
  });
  lines.sort((a, b) => a.y - b.y);
  const rows: (typeof lines)[] = [];
  for (const line of lines) {
    // The first line of a row is its measure; a chain of small offsets must not pull rows together.
    const row = rows.findLast((candidate) => overlap(candidate[0]!, line) >= SAME_ROW);
    if (row === undefined) rows.push([line]);
    else row.push(line);
  }
  return rows.flatMap((row) => row.sort((a, b) => a.x - b.x).map((line) => line.index));
}

/** Unit vector along the text, each line weighted by its length; lines across the majority do not count. */
function meanDirection(quads: readonly Quad[]): Point {
  const directions = quads.map((quad) => ({ x: quad[1].x - quad[0].x, y: quad[1].y - quad[0].y }));
  const longest = directions.reduce<Point>(
    (best, each) => (Math.hypot(each.x, each.y) > Math.hypot(best.x, best.y) ? each : best),
    { x: 1, y: 0 },
  );
  // Quarters of the circle around the four directions of a page.
  const quarters = [0, 1, 2, 3].map(() => ({ x: 0, y: 0, weight: 0 }));
  for (const [index, each] of directions.entries()) {
    const cosine = each.x * longest.x + each.y * longest.y;
    const sine = each.y * longest.x - each.x * longest.y;
    const quarter = quarters[(Math.round(Math.atan2(sine, cosine) / (Math.PI / 2)) + 4) % 4]!;
    quarter.x += each.x;
    quarter.y += each.y;
    quarter.weight += lengthOf(quads[index]!);
  }
  const main = quarters.reduce((best, each) => (each.weight > best.weight ? each : best));
  const length = Math.hypot(main.x, main.y);
  return length === 0 ? { x: 1, y: 0 } : { x: main.x / length, y: main.y / length };
}

interface Span {
  readonly y: number;
  readonly depth: number;
}

function overlap(a: Span, b: Span): number {
  const shared =
    Math.min(a.y + a.depth / 2, b.y + b.depth / 2) - Math.max(a.y - a.depth / 2, b.y - b.depth / 2);
  return shared / Math.max(1e-6, Math.min(a.depth, b.depth));
}
