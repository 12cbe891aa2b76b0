import { expect, it } from 'vitest';
import { roundedColumns, type RoundedColumn } from './rounding.ts';
import { readCsv } from '../table/read-table.ts';

const NOON = Date.UTC(2026, 0, 1, 12);

async function rounded(numbers: readonly number[]): Promise<RoundedColumn[]> {
  const text = ['at,y', ...numbers.map((number) => `${number},1`), ''].join('\n');
  return roundedColumns(await readCsv([new TextEncoder().encode(text)]), ['at', 'y']);
}

it('names a column whose rows float32 can hardly distinguish', async () => {
  // Minutes of one hour, in milliseconds since 1970.
  const minutes = Array.from({ length: 60 }, (_, i) => NOON + i * 60_000);
  const error = Math.max(...minutes.map((at) => Math.abs(at - Math.fround(at))));
  expect(error).toBeGreaterThan(30_000);
  expect(await rounded(minutes)).toEqual([
    {
      lost: `'at' is rounded by up to ${error} in float32, and its numbers lie from ${NOON} to ${NOON + 59 * 60_000}`,
      smallest: String(NOON),
    },
  ]);
  expect(await rounded(minutes.map((at) => at - NOON))).toEqual([]);
});

it('is silent about digits that make no difference', async () => {
  expect(await rounded([0.1, 0.2, 1 / 3])).toEqual([]);
  // Days of ten years.
  expect(await rounded(Array.from({ length: 3650 }, (_, i) => NOON - i * 86_400_000))).toEqual([]);
  expect(await rounded([NOON + 1, NOON + 1])).toEqual([]);
});
