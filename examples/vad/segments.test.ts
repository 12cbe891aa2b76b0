import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_RULES, segmentsOf, type Segment, type SegmentRules } from './segments.ts';

const WINDOW_MS = 32;
const exact: SegmentRules = { ...DEFAULT_RULES, minSilenceMs: 96, minSpeechMs: 96, padMs: 0 };

async function segments(
  probabilities: readonly number[],
  rules = exact,
  totalMs?: number,
): Promise<Segment[]> {
  const found: Segment[] = [];
  for await (const segment of segmentsOf(probabilities, WINDOW_MS, rules, totalMs))
    found.push(segment);
  return found;
}

const windows = (count: number, probability: number): number[] =>
  Array.from({ length: count }, () => probability);
const ms = (count: number): number => count * WINDOW_MS;

describe('segmentsOf', () => {
  it('begins with the first window at the start threshold and ends where the pause begins', async () => {
    const probabilities = [...windows(10, 0.1), ...windows(8, 0.9), ...windows(10, 0.1)];
    expect(await segments(probabilities)).toEqual([{ startMs: ms(10), endMs: ms(18) }]);
  });

  it('is not disturbed by what stays between the thresholds', async () => {
    const probabilities = [
      ...windows(5, 0.4),
      ...windows(4, 0.6),
      ...windows(20, 0.4),
      ...windows(9, 0),
    ];
    expect(await segments(probabilities)).toEqual([{ startMs: ms(5), endMs: ms(29) }]);
  });

  it('bridges a pause that is too short, and parts at one that is long enough', async () => {
    const withPause = (length: number): number[] => [
      ...windows(6, 0.9),
      ...windows(length, 0.1),
      ...windows(6, 0.9),
    ];
    expect(await segments(withPause(2))).toEqual([{ startMs: 0, endMs: ms(14) }]);
    expect(await segments(withPause(3))).toEqual([
      { startMs: 0, endMs: ms(6) },
      { startMs: ms(9), endMs: ms(15) },
    ]);
  });

  it('drops segments that are too short to be speech', async () => {
    expect(await segments([...windows(3, 0), ...windows(2, 0.9), ...windows(9, 0)])).toEqual([]);
  });

  it('ends with the audio, not with the window that was filled up', async () => {
    expect(await segments(windows(10, 0.9), exact, 310)).toEqual([{ startMs: 0, endMs: 310 }]);
    expect(await segments(windows(10, 0.9), { ...exact, padMs: 50 }, 310)).toEqual([
      { startMs: 0, endMs: 310 },
    ]);
  });

  it('pads both ends, and shares a pause that is too short for both pads', async () => {
    const probabilities = [
      ...windows(5, 0),
      ...windows(5, 1),
      ...windows(3, 0),
      ...windows(5, 1),
      ...windows(9, 0),
    ];
    expect(await segments(probabilities, { ...exact, padMs: 30 })).toEqual([
      { startMs: ms(5) - 30, endMs: ms(10) + 30 },
      { startMs: ms(13) - 30, endMs: ms(18) + 30 },
    ]);
    expect(await segments(probabilities, { ...exact, padMs: 100 })).toEqual([
      { startMs: ms(5) - 100, endMs: ms(11.5) },
      { startMs: ms(11.5), endMs: ms(18) + 100 },
    ]);
  });

  it('yields a segment while the stream continues', async () => {
    let sent = 0;
    function* stream(): Generator<number> {
      for (const probability of [
        ...windows(5, 1),
        ...windows(5, 0),
        ...windows(5, 1),
        ...windows(90, 0),
      ]) {
        sent++;
        yield probability;
      }
    }
    const { value } = await segmentsOf(stream(), WINDOW_MS, exact).next();
    expect(value).toEqual({ startMs: 0, endMs: ms(5) });
    expect(sent).toBeLessThan(20);
  });

  it('has ordered, separate segments inside the audio, each long enough, for every stream', async () => {
    const probability = fc.double({ min: 0, max: 1, noNaN: true });
    await fc.assert(
      fc.asyncProperty(
        fc.array(probability, { maxLength: 120 }),
        fc.nat(200),
        async (stream, padMs) => {
          const totalMs = Math.max(0, ms(stream.length) - 10);
          let last = 0;
          for (const { startMs, endMs } of await segments(stream, { ...exact, padMs }, totalMs)) {
            expect(startMs).toBeGreaterThanOrEqual(last);
            expect(endMs - startMs).toBeGreaterThanOrEqual(exact.minSpeechMs - 10);
            last = endMs;
          }
          expect(last).toBeLessThanOrEqual(totalMs);
        },
      ),
    );
  });
});
