/** Rows that are made up for an audit, in the columns of a plan. */
import type { PublicColumns, SecureRandom } from '@skein/train';

export type CanaryRow = Readonly<Record<string, string | number>>;

/** Rows that differ as much as the columns allow: each value at an end of its range, categories in turn. */
export function canaryRows(
  { features, target }: PublicColumns,
  count: number,
  random: SecureRandom,
): readonly CanaryRow[] {
  const coin = (): boolean => (random.uint32() & 1) === 1;
  return Array.from({ length: count }, (_, i) => {
    const cells = features.map((column): [string, string | number] => {
      if (column.kind === 'number') return [column.name, coin() ? column.high : column.low];
      const { categories } = column;
      return [column.name, categories[i % categories.length]!];
    });
    const label =
      target.kind === 'number'
        ? coin()
          ? target.high
          : target.low
        : target.classes[random.below(target.classes.length)]!;
    return Object.fromEntries([...cells, [target.name, label]]);
  });
}

/** As lines of JSON. */
export function linesOf(rows: readonly CanaryRow[]): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
}
