/** The tables of bench/README.md show exactly what is measured, under the names and bounds that the code has. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { SERVING_MEASURES } from './measures.ts';

it('the table has the rows of the comparison', () => {
  const text = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');
  const table = /<!-- bench:serving -->([\s\S]*?)<!-- \/bench:serving -->/.exec(text)?.[1] ?? '';
  const rows = [...table.matchAll(/^\| ([^|]+?) +\| `(\w+)` +\|[^|]*\|([^|]*)\|/gm)].map(
    ([, what, key, bound]) => [what, key, bound!.trim()],
  );
  expect(rows).toEqual(
    SERVING_MEASURES.map(({ what, key, target }) => [what, key, boundOf(target)]),
  );
});

function boundOf(target: (typeof SERVING_MEASURES)[number]['target']): string {
  if (target === null) return '';
  return 'atLeast' in target ? `≥ ${target.atLeast}` : `≤ ${target.atMost}`;
}
