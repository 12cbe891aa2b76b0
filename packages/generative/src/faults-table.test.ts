/** The document of the gateway has the table of faults, as the code has it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FAULTS, type Fault } from './faulty-upstream/faults.ts';

const PATH = join(import.meta.dirname, '../../../docs/concepts/language-models.md');
const PLACE = /(<!-- faults -->\n)[\s\S]*(<!-- \/faults -->)/;

function row({ what, streaming, whole, fallsBack }: Fault): string[] {
  const end = (mode: 'streaming' | 'whole') =>
    ({ streaming, whole })[mode] === 'answered' ? 'answered' : `\`${{ streaming, whole }[mode]}\``;
  const second = (mode: 'streaming' | 'whole') => (fallsBack[mode] ? 'answers' : 'the same error');
  return end('streaming') === 'answered'
    ? [what, 'answered', 'not needed', 'not needed']
    : [what, end('streaming'), second('streaming'), second('whole')];
}

function table(): string {
  const rows = [
    ['the upstream', 'alone', 'second route, streaming', 'second route, whole'],
    ...Object.values(FAULTS).map(row),
  ];
  const widths = rows[0]!.map((_, column) =>
    Math.max(...rows.map((cells) => cells[column]!.length)),
  );
  const lines = rows.map(
    (cells) => `| ${cells.map((cell, at) => cell.padEnd(widths[at]!)).join(' | ')} |`,
  );
  lines.splice(1, 0, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`);
  return lines.join('\n');
}

it('matches the code; `UPDATE_DOCS=1` writes it', () => {
  const text = readFileSync(PATH, 'utf8');
  const fresh = text.replace(PLACE, `$1\n${table()}\n\n$2`);
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(PATH, fresh);
  else expect(text).toBe(fresh);
});
