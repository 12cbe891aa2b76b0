/**
 * The range of a vertical axis whose numbers are all alike, or none: uPlot would draw it around zero, as
 * narrow as numbers can be.
 *
 * @param low least number of the lines; null: they have no points.
 * @param bound a level that is drawn too.
 * @returns undefined where the numbers differ.
 */
export function flatRange(
  low: number | null,
  high: number | null,
  bound: number | undefined,
): [number, number] | undefined {
  if (low === null || high === null) return [0, bound ?? 1];
  if (low < high) return undefined;
  return [Math.min(0, low), Math.max(bound ?? 0, high) || (low < 0 ? 0 : 1)];
}
