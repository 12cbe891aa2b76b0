import { expect, it } from 'vitest';
import type { Machine } from './machine.ts';
import { renderTable, type Measure } from './report.ts';

const machine: Machine = {
  cpu: 'a processor',
  cores: 2,
  memoryGiB: 24,
  system: 'Debian',
  node: '24.0.0',
  at: '2026-01-02T03:04:05.000Z',
};

function verdictsOf(
  measures: readonly Measure[],
  results: Readonly<Record<string, number>>,
): string[] {
  const report = { name: 'bench', peer: 'a peer', measures, results, details: {} };
  return renderTable(report, machine)
    .split('\n')
    .slice(2, 2 + measures.length)
    .map((row) =>
      row
        .split('|')
        .slice(3, -1)
        .map((cell) => cell.trim())
        .join(' '),
    );
}

const most = (key: string): Measure => ({ key, what: key, unit: ' ms', target: { atMost: 10 } });
const least = (key: string): Measure => ({ key, what: key, unit: '×', target: { atLeast: 2 } });

it('shows whether a promise was kept, and no verdict on rows without a measurement or a promise', () => {
  const measures = [
    most('at-bound'),
    most('over'),
    least('at-least'),
    least('under'),
    least('left-out'),
    least('broken'),
    { ...most('shown'), target: null },
  ];
  const results = {
    'at-bound': 10,
    over: 10.01,
    'at-least': 2,
    under: 1.99,
    broken: Number.NaN,
    shown: 123.4,
  };
  expect(verdictsOf(measures, results)).toEqual([
    '10.00 ms ≤ 10 yes',
    '10.01 ms ≤ 10 NO',
    '2.00× ≥ 2 yes',
    '1.99× ≥ 2 NO',
    'not measured ≥ 2 ',
    'NaN× ≥ 2 NO',
    '123 ms  ',
  ]);
});
