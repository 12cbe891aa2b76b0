import { describe, expect, it } from 'vitest';
import type { JudgeEvent, TestResult } from '../../judging/events.ts';
import { liveWriter, parseLive } from './wire.ts';

function result(name: string, reason: string): TestResult {
  return {
    kind: 'test',
    name,
    verdict: 'WA',
    reason,
    usage: { cpuMs: 1, wallMs: 2, memoryBytes: 3 },
    passes: 1,
    validatorScore: undefined,
    score: undefined,
    judgeMessage: 'the secret of the judges',
    teamMessage: undefined,
    feedback: { input: 'x'.repeat(9999), output: '', error: '', answer: '' },
    hint: undefined,
  };
}

describe('the live steps of a judging', () => {
  it('pass through the log as lines, short and without details for judges', () => {
    const lines: string[] = [];
    const write = liveWriter((line) => lines.push(line));
    write({ type: 'compiling', language: 'cpp' });
    write({ type: 'test-started', name: 'secret/1', index: 0, total: 1 });
    write({ type: 'test', result: result('secret/1', 'a\nb'.repeat(999)), index: 0, total: 1 });
    expect(lines).toHaveLength(3);
    expect(lines.join('')).not.toMatch(/\n|secret of the judges/);
    expect(lines.every((line) => line.length < 1000)).toBe(true);
    expect(lines.map((line) => parseLive(line)?.type)).toEqual([
      'compiling',
      'test-started',
      'test',
    ]);
  });

  it('stop at a bound, with a whole line', () => {
    let bytes = 0;
    let last = '';
    const write = liveWriter((line) => {
      bytes += line.length + 1;
      last = line;
    });
    const event: JudgeEvent = { type: 'test', result: result('t', 'r'), index: 0, total: 1 };
    for (let index = 0; index < 30_000; index += 1) write(event);
    expect(bytes).toBeGreaterThan(2 ** 20);
    expect(bytes).toBeLessThanOrEqual(3 * 2 ** 20);
    expect(parseLive(last)).toBeDefined();
  });

  it.each(['', 'hello', 'judge ', 'judge {"type":"tes', 'judge {"type":"surprise"}', 'judge 7'])(
    'are not seen in %j',
    (line) => expect(parseLive(line)).toBeUndefined(),
  );
});
