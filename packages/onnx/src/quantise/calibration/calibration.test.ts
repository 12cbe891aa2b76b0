/** Histograms against a sorted list, and ranges by what each method promises. */
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../model/builder.ts';
import { OnnxError } from '../../onnx-error.ts';
import { seededRandom } from '../../tensor/random.ts';
import { tensor, type TensorMap } from '../../tensor/tensor.ts';
import { activationGrid, type Range } from '../grid.ts';
import { native } from '../testing/evaluators.ts';
import { observe } from './calibrate.ts';
import { Histogram } from './histogram.ts';
import { METHODS, rangeOf } from './range.ts';

/** About a normal distribution, with a few numbers far outside. */
function numbersOf(seed: number, count: number, outlier: number): Float32Array {
  const random = seededRandom(seed);
  const normal = (): number =>
    Array.from({ length: 12 }, () => random.next()).reduce((a, b) => a + b) - 6;
  return Float32Array.from({ length: count }, (_, i) => (i % 5000 === 4999 ? outlier : normal()));
}

function errorOf(numbers: Float32Array, range: Range): number {
  const { scale, zero } = activationGrid(range);
  return numbers.reduce((sum, each) => {
    const step = Math.min(255, Math.max(0, Math.round(each / scale) + zero));
    return sum + (each - (step - zero) * scale) ** 2;
  }, 0);
}

describe('a histogram', () => {
  it('counts every number once, in a bin near it, however its limit grew', () => {
    const histogram = new Histogram();
    const parts = [1e-4, 0.03, 2, 1000, 5].map((factor, at) =>
      numbersOf(at + 1, 10_000, 9).map((each) => each * factor),
    );
    for (const part of parts) histogram.add(part);
    const sorted = parts.flatMap((part) => [...part]).toSorted((a, b) => a - b);
    expect([histogram.count, histogram.low, histogram.high]).toEqual([
      sorted.length,
      sorted[0],
      sorted.at(-1),
    ]);
    let below = 0;
    histogram.bins.forEach((count, bin) => {
      below += count;
      const end = histogram.middle(bin) + histogram.width / 2;
      if (bin % 97 === 0) expect(below).toBe(sorted.filter((each) => each < end).length);
    });
    expect(below).toBe(sorted.length);
  });

  it('counts numbers that are not finite apart', () => {
    const histogram = new Histogram();
    histogram.add([1, NaN, Infinity, -2, -Infinity]);
    const { count, strays, low, high } = histogram;
    expect({ count, strays, low, high }).toEqual({ count: 2, strays: 3, low: -2, high: 1 });
  });
});

describe('a range', () => {
  const numbers = numbersOf(9, 100_000, 40);
  const histogram = new Histogram();
  histogram.add(numbers);
  const ranges = new Map(METHODS.map((method) => [method, rangeOf(histogram, method)]));

  it('is the extremes, or leaves outliers out', () => {
    expect(ranges.get('min-max')).toEqual({ low: histogram.low, high: 40 });
    for (const method of METHODS.slice(1)) {
      const { high } = ranges.get(method)!;
      expect(high, method).toBeGreaterThan(2.5);
      expect(high, method).toBeLessThan(41);
    }
    expect(ranges.get('entropy')!.high).toBeLessThan(30);
  });

  it('of least squared error has less of it than any other', () => {
    const least = errorOf(numbers, ranges.get('mse')!);
    for (const [method, range] of ranges)
      expect(errorOf(numbers, range), method).toBeGreaterThanOrEqual(least);
    expect(least).toBeLessThan(errorOf(numbers, ranges.get('min-max')!));
  });

  it('by percentile leaves out one in ten thousand', () => {
    const few = numbersOf(3, 100_000, 0);
    const own = new Histogram();
    own.add(few);
    const { low, high } = rangeOf(own, 'percentile');
    const outside = few.filter((each) => each < low || each > high).length;
    expect(outside).toBeGreaterThan(0);
    expect(outside).toBeLessThanOrEqual(10);
  });

  it('contains zero, also of numbers that do not, of one number, and of none', () => {
    for (const each of [[5, 6], [-3, -2], [0], [], [1e-30]]) {
      const own = new Histogram();
      own.add(each);
      for (const method of METHODS) {
        const { low, high } = rangeOf(own, method);
        expect(low).toBeLessThanOrEqual(0);
        expect(high).toBeGreaterThanOrEqual(0);
        const { scale, zero } = activationGrid({ low, high });
        expect(scale).toBeGreaterThan(0);
        expect(Number.isInteger(zero) && zero >= 0 && zero <= 255).toBe(true);
      }
    }
  });
});

describe('observe', () => {
  const graph = new GraphBuilder('logarithm');
  graph.input('x', 'float32', ['n', 3]);
  graph.node('Log', ['x'], {}, { outputs: ['log'] });
  graph.node('Neg', ['log'], {}, { outputs: ['y'] });
  graph.output('y', 'float32', ['n', 3]);
  const model = graph.model();
  const batch = (...numbers: number[]): TensorMap =>
    new Map([['x', tensor('float32', [numbers.length / 3, 3], Float32Array.from(numbers))]]);

  it('measures inputs and inner values over all batches, and their means by channel', async () => {
    const samples = [batch(1, 2, 4), batch(1, 1, 1, 8, 4, 2)];
    const channels = new Map([['x', -1]]);
    const observed = await observe(model, ['x', 'log'], samples, native, { channels });
    expect(observed.get('x')!.histogram).toMatchObject({ count: 9, low: 1, high: 8 });
    expect(observed.get('log')!.histogram.high).toBeCloseTo(Math.log(8), 6);
    expect([...observed.get('x')!.means!.means]).toEqual([10 / 3, 7 / 3, 7 / 3]);
  });

  it('refuses to measure nothing, and values without a range', async () => {
    await expect(observe(model, ['x'], [], native)).rejects.toThrow(OnnxError);
    await expect(observe(model, ['log'], [batch(1, 0, 1)], native)).rejects.toThrow(
      "'log' is NaN or infinite 1 times",
    );
  });
});
