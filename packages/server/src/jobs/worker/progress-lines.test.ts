import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createProgressFilter, type Progress } from './progress-lines.ts';

/** The same, line by line over all of the text: slow, and obviously right. */
function byLines(text: string): { log: string; told: Progress[] } {
  const told: Progress[] = [];
  const kept = text.split(/(?<=\n)/).filter((line) => {
    const match = /^::progress +(\d*\.?\d+)(?: +(.*?))?\s*$/.exec(line);
    if (match === null || line.length > 1024) return true;
    told.push({ fraction: Math.min(1, Number(match[1])), message: match[2] ?? '' });
    return false;
  });
  return { log: kept.join(''), told };
}

function filtered(chunks: readonly string[]): { log: string; told: Progress[] } {
  const told: Progress[] = [];
  const filter = createProgressFilter((progress) => told.push(progress));
  const passed = chunks.map((chunk) => filter.pass(Buffer.from(chunk)));
  return { log: Buffer.concat([...passed, filter.flush()]).toString(), told };
}

describe('progress lines', () => {
  it('are taken out of the log', () => {
    const text = 'loading\n::progress 0.25 epoch 1 of 4\n::progress 1\nsaved\n';
    expect(filtered([text])).toEqual({
      log: 'loading\nsaved\n',
      told: [
        { fraction: 0.25, message: 'epoch 1 of 4' },
        { fraction: 1, message: '' },
      ],
    });
  });

  it('are found however the text is cut, and nothing else changes', () => {
    const line = fc.constantFrom(
      '::progress 0.5 half\n',
      '::progress 7 too much\r\n',
      '::progress .5\n',
      '::progress half\n',
      '::progressive 0.5\n',
      ' ::progress 0.5\n',
      'x::progress 0.5\n',
      '::pro\n',
      '\n',
      ':',
      'größe',
      `::progress 0.1 ${'x'.repeat(2000)}\n`,
    );
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 12 }),
        fc.array(fc.nat(400), { maxLength: 30 }),
        (lines, cuts) => {
          const text = lines.join('');
          const chunks: string[] = [];
          let rest = text;
          for (const cut of cuts) {
            chunks.push(rest.slice(0, cut));
            rest = rest.slice(cut);
          }
          expect(filtered([...chunks, rest])).toEqual(byLines(text));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('hold nothing back that cannot be one', () => {
    const filter = createProgressFilter(() => undefined);
    expect(filter.pass(Buffer.from('Password: ')).toString()).toBe('Password: ');
    expect(filter.pass(Buffer.from('::progress 0.5\n')).toString()).toBe('::progress 0.5\n');
  });
});
