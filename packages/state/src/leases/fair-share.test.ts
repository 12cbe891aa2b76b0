import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { EQUAL_PART, fairShare, type Claim } from './fair-share.ts';

const claims = (...demands: readonly number[]): Claim[] =>
  demands.map((demand, index) => ({ member: `m${index}`, demand, share: 0 }));
const sharesOf = (all: readonly Claim[], total: number, whole = false) =>
  all.map(({ member }) => fairShare(all, member, total, whole));

it('divides equally among equals, busy or idle', () => {
  expect(sharesOf(claims(0, 0, 0, 0), 100)).toEqual([25, 25, 25, 25]);
  expect(sharesOf(claims(80, 80), 100)).toEqual([50, 50]);
});

it('gives a busy member nearly all that idle ones do not use, and each idle one something', () => {
  const [busy, ...idle] = sharesOf(claims(100, 0, 0, 0, 0), 100);
  expect(busy).toBeGreaterThan(90);
  for (const each of idle) expect(each).toBeGreaterThan(1);
});

it('leaves every member what it asks for while that fits with the equal part', () => {
  const all = claims(60, 20, 5);
  for (const [index, share] of sharesOf(all, 100).entries()) {
    expect(share).toBeGreaterThanOrEqual(all[index]!.demand);
  }
});

it('takes from idle members when the equal part is halved, and from busy ones when it is doubled', () => {
  // The constant costs the share that a member with all of the demand loses to nine idle ones.
  const [busy] = sharesOf(claims(100, ...Array<number>(9).fill(0)), 100);
  const loss = 1 - busy! / 100;
  expect(loss).toBeGreaterThan(EQUAL_PART / 2);
  expect(loss).toBeLessThan(EQUAL_PART);
});

it('sums to the total for any demands, in whole numbers where they are asked for', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 1, max: 1000 }),
      (demands, total) => {
        const all = claims(...demands);
        const sum = (shares: readonly number[]) => shares.reduce((a, b) => a + b, 0);
        expect(sum(sharesOf(all, total))).toBeCloseTo(total);
        const whole = sharesOf(all, total, true);
        expect(sum(whole)).toBe(total);
        for (const share of whole) expect(Number.isInteger(share) && share >= 0).toBe(true);
      },
    ),
  );
});

it('has nothing to divide of a limit of nothing', () => {
  expect(sharesOf(claims(0, 5), 0)).toEqual([0, 0]);
  expect(sharesOf(claims(0, 0), 0)).toEqual([0, 0]);
});
