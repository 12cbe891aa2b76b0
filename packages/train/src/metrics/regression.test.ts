import fc from 'fast-check';
import { expect, it } from 'vitest';
import { regressionErrors } from './regression.ts';

it('gives the numbers of scikit-learn’s documentation', () => {
  const { mae, rmse, r2 } = regressionErrors([3, -0.5, 2, 7], [2.5, 0, 2, 8]);
  expect(mae).toBeCloseTo(0.5, 12);
  expect(rmse).toBeCloseTo(0.6123724356957945, 12);
  expect(r2).toBeCloseTo(0.9486081370449679, 12);
});

it('has its landmarks: perfection, the mean, and what no mean explains', () => {
  expect(regressionErrors([1, 2, 4], [1, 2, 4])).toEqual({ mae: 0, rmse: 0, r2: 1 });
  expect(regressionErrors([1, 2, 3], [2, 2, 2]).r2).toBeCloseTo(0, 12);
  expect(regressionErrors([5, 5], [5, 5]).r2).toBeNaN();
  // Tenths are rounded, and so is their sum divided by how many there are.
  const tenths = Array.from({ length: 10 }, () => 0.1);
  expect(regressionErrors(tenths, [...tenths.keys()]).r2).toBeNaN();
  expect(() => regressionErrors([], [])).toThrow('no rows');
});

it('follows the unit, and the share of the variance does not', () => {
  const number = fc.double({ min: -50, max: 50, noNaN: true });
  const rows = fc.array(fc.tuple(number, number), { minLength: 2, maxLength: 30 });
  fc.assert(
    fc.property(rows, fc.double({ min: 0.1, max: 100, noNaN: true }), (pairs, unit) => {
      const of = (scale: number) =>
        regressionErrors(
          pairs.map(([truth]) => truth * scale),
          pairs.map(([, predicted]) => predicted * scale),
        );
      const [plain, scaled] = [of(1), of(unit)];
      expect(scaled.mae).toBeCloseTo(plain.mae * unit, 6);
      expect(scaled.rmse).toBeCloseTo(plain.rmse * unit, 6);
      expect(plain.rmse).toBeGreaterThanOrEqual(plain.mae - 1e-9);
    }),
    { seed: 3 },
  );
});
