import { tensor } from '@skein/onnx';
import type { InferenceRequest } from '@skein/serving';
import { describe, expect, it } from 'vitest';
import { request } from '../forwarding/testing/requests.ts';
import { HOLD_OFF } from '../tuning.ts';
import { Refusals } from './refusals.ts';

const rows = (count: number): InferenceRequest =>
  request({ inputs: new Map([['x', tensor('float32', [count], new Float32Array(count))]]) });
/** Refused at 1000, with 50 ms left, until 1100, the time that the member named. */
function refused(like: InferenceRequest = rows(4)): Refusals {
  const refusals = new Refusals();
  refusals.note(like, 1000, 50, 100);
  return refusals;
}

describe('a request that a member has refused for lack of capacity', () => {
  it('is expected to be refused again until the time that it has named', () => {
    expect(refused().expects(rows(4), 1099, 50)).toBe(true);
    expect(refused().expects(rows(4), 1100, 50)).toBe(false);
    expect(refused().expects(rows(4), 1100, 1)).toBe(false);
  });

  it('is asked again after a quarter of a second at most: new replicas add capacity', () => {
    const refusals = new Refusals();
    refusals.note(rows(4), 1000, 50, 60_000);
    expect(refusals.expects(rows(4), 1000 + HOLD_OFF.longestMs - 1, 50)).toBe(true);
    expect(refusals.expects(rows(4), 1000 + HOLD_OFF.longestMs, 50)).toBe(false);
  });

  it('does not count for a smaller request, or one that has more time than the wait', () => {
    const refusals = refused();
    expect(refusals.expects(rows(5), 1010, 50)).toBe(true);
    expect(refusals.expects(rows(3), 1010, 50)).toBe(false);
    expect(refusals.expects(rows(4), 1010, 50 + 89)).toBe(true);
    expect(refusals.expects(rows(4), 1010, 50 + 90)).toBe(false);
    expect(refusals.expects(rows(4), 1010, 1)).toBe(true);
  });

  it('counts all inputs of a request', () => {
    const both = (count: number): InferenceRequest => {
      const { inputs } = rows(count);
      return request({ inputs: new Map([...inputs, ['y', rows(1).inputs.get('x')!]]) });
    };
    const refusals = refused(both(4));
    expect(refusals.expects(both(4), 1010, 50)).toBe(true);
    expect(refusals.expects(both(3), 1010, 50)).toBe(false);
  });

  it.each([
    { deployment: 'other' },
    { version: '7' },
    { tenant: 'other' },
    { priority: 5 },
  ] satisfies Partial<InferenceRequest>[])('does not count for requests of %o', (more) => {
    const refusals = refused();
    expect(refusals.expects({ ...rows(4), ...more }, 1010, 50)).toBe(false);
    expect(refusals.expects(rows(4), 1010, 50)).toBe(true);
  });

  it('is removed where there are too many kinds', () => {
    const refusals = refused();
    for (let tenant = 0; tenant < HOLD_OFF.kinds; tenant++) {
      refusals.note({ ...rows(4), tenant: `t${tenant}` }, 1000, 50, 100);
    }
    expect(refusals.expects(rows(4), 1010, 50)).toBe(false);
    expect(refusals.expects({ ...rows(4), tenant: `t${HOLD_OFF.kinds - 1}` }, 1010, 50)).toBe(true);
  });
});
