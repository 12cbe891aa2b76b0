import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { splice, writeReport } from './report.ts';

const docs = join(import.meta.dirname, '../../../../docs');

/** Without the padding of tables. */
const plain = (text: string): string => text.replaceAll(/-{3,}/g, '--').replaceAll(/ +/g, ' ');

test('docs/concepts/fleet.md has the results of the code; write-fleet-report.ts renews them', () => {
  const { markdown, pictures } = writeReport();
  const page = readFileSync(join(docs, 'concepts/fleet.md'), 'utf8');
  expect(plain(page)).toBe(plain(splice(page, markdown)));
  for (const [name, svg] of Object.entries(pictures)) {
    expect(readFileSync(join(docs, 'images', name), 'utf8')).toBe(svg);
  }
}, 480_000);
