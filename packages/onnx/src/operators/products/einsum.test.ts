import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkGradients,
  expectGradient,
  floats,
  type OperatorCase,
} from '../testing/finite-difference.ts';

/** Sizes by letter; capitals stand for what an ellipsis covers. */
const SIZES: Readonly<Record<string, number>> = { i: 2, j: 3, k: 2, b: 2, h: 2, q: 3, d: 2 };

function shapeOf(term: string, ellipsis: readonly number[]): number[] {
  return term
    .split(/(\.\.\.)/)
    .flatMap((part) => (part === '...' ? ellipsis : Array.from(part, (letter) => SIZES[letter]!)));
}

function einsum(equation: string, ellipsis: readonly number[] = []): fc.Arbitrary<OperatorCase> {
  const terms = equation.split('->')[0]!.replaceAll(' ', '').split(',');
  return fc
    .tuple(...terms.map((term) => floats(shapeOf(term, ellipsis))))
    .map((inputs) => ({ operator: 'Einsum', inputs, attributes: { equation } }));
}

describe('Einsum', () => {
  for (const equation of [
    'ij,jk->ik',
    'ij,jk',
    'bij,bjk->bik',
    'bqhd,bkhd->bhqk',
    'bhqk,bkhd->bqhd',
    'i,j->ij',
    'i,i->',
    'ij->ji',
    'ij->i',
    'ij->',
    'ij,i->j',
    'ij,jk,ki->',
    'ij, k -> j',
    'bij,jk,bk->bi',
  ]) {
    it(`of ${equation}`, () => checkGradients(einsum(equation), 3));
  }
  for (const equation of ['...ij,...jk->...ik', '...i->...', 'i...,i...->...', '...,i->...i']) {
    it(`of ${equation}`, () => checkGradients(einsum(equation, [2, 3]), 3));
  }
  it('ellipses that broadcast', () =>
    checkGradients(
      fc
        .constantFrom(
          [
            [2, 1],
            [1, 3],
          ],
          [
            [2, 3],
            [1, 1],
          ],
          [[1], [3]],
        )
        .chain(([a, b]) => fc.tuple(floats([...a, 2, 3]), floats([...b, 3, 2])))
        .map((inputs) => ({
          operator: 'Einsum',
          inputs,
          attributes: { equation: '...ij,...jk->...ik' },
          symbolic: false,
        })),
      6,
    ));
  it('refuses a diagonal', () =>
    expect(
      expectGradient({
        operator: 'Einsum',
        inputs: [{ shape: [2, 2], values: [1, 2, 3, 4] }],
        attributes: { equation: 'ii->i' },
      }),
    ).rejects.toThrow(/diagonal/));
});
