import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readGuestLines, type Progress } from './guest-lines.ts';

type Message = Progress | 'checkpoint';

/** The same, line by line over all of the text: slow, and obviously right. */
function byLines(text: string): { log: string; messages: Message[] } {
  const messages: Message[] = [];
  const kept = text.split(/(?<=\n)/).filter((line) => {
    if (line.length > 1024) return true;
    if (line.startsWith('::checkpoint') && line.slice(12).trim() === '') {
      messages.push('checkpoint');
      return false;
    }
    const match = /^::progress +(\d*\.?\d+)(?: +(.*?))?\s*$/.exec(line);
    if (match === null) return true;
    messages.push({ fraction: Math.min(1, Number(match[1])), message: match[2] ?? '' });
    return false;
  });
  return { log: kept.join(''), messages };
}

function filtered(chunks: readonly string[]): { log: string; messages: Message[] } {
  const messages: Message[] = [];
  const lines = readGuestLines({
    onProgress: (progress) => messages.push(progress),
    onCheckpoint: () => messages.push('checkpoint'),
  });
  const passed = chunks.map((chunk) => lines.pass(Buffer.from(chunk)));
  return { log: Buffer.concat([...passed, lines.flush()]).toString(), messages };
}

describe('lines of a guest', () => {
  it('are taken out of the log', () => {
    const text = 'loading\n::progress 0.25 epoch 1 of 4\n::checkpoint\n::progress 1\nsaved\n';
    expect(filtered([text])).toEqual({
      log: 'loading\nsaved\n',
      messages: [
        { fraction: 0.25, message: 'epoch 1 of 4' },
        'checkpoint',
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
      '::checkpoint\n',
      '::checkpoint \r\n',
      '::checkpoints\n',
      '::checkpoint now\n',
      `::checkpoint${' '.repeat(2000)}\n`,
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

  it('pass at once when they cannot be a message', () => {
    const filter = readGuestLines({ onProgress: () => undefined, onCheckpoint: () => undefined });
    expect(filter.pass(Buffer.from('Password: ')).toString()).toBe('Password: ');
    expect(filter.pass(Buffer.from('::progress 0.5\n')).toString()).toBe('::progress 0.5\n');
  });
});
