import { describe, expect, it } from 'vitest';
import { type Actual, failedAgain, type Failure, reconcile } from './reconcile.ts';

const row = (revision: number, updatedAt = `${revision}`) => ({ revision, updatedAt });
const here = (revision: number, activity: Actual['activity'] = 'none'): Actual => ({
  ...row(revision),
  isHere: true,
  activity,
});
const decide = (
  desired: Record<string, number>,
  actual: Record<string, Actual>,
  failures: Record<string, Failure> = {},
  now = 0,
) =>
  reconcile(
    new Map(
      Object.entries(desired).map(([name, revision]) => [
        name,
        { ...row(revision), isHere: !name.startsWith('far') },
      ]),
    ),
    new Map(Object.entries(actual)),
    new Map(Object.entries(failures)),
    now,
  );

describe('what a node does to follow its fleet', () => {
  it('applies what is new, newer or older, and removes what is gone', () => {
    const { actions, nextAt } = decide(
      { new: 1, newer: 5, older: 2, same: 3 },
      { newer: here(4), older: here(9), same: here(3), gone: here(1), loading: here(0) },
    );
    expect(actions).toEqual([
      { kind: 'apply', name: 'new' },
      { kind: 'apply', name: 'newer' },
      { kind: 'apply', name: 'older' },
      { kind: 'remove', name: 'gone' },
    ]);
    expect(nextAt).toBe(Infinity);
  });

  it('applies the same revision of other contents of the store, which an operator has adopted', () => {
    const other = { ...here(3), ...row(3, 'later') };
    const apply = [{ kind: 'apply', name: 'a' }];
    expect(decide({ a: 3 }, { a: other }).actions).toEqual(apply);
    const failure = { ...row(3, 'later'), attempts: 1, retryAt: 100 };
    expect(decide({ a: 3 }, { a: other }, { a: failure }).actions).toEqual(apply);
  });

  it('waits for a change of this node, and ends a rollout that was overtaken', () => {
    const busy = { a: here(1, 'change'), b: here(1, 'rollout'), c: here(2, 'rollout') };
    expect(decide({ a: 2, b: 2, c: 2 }, busy).actions).toEqual([{ kind: 'interrupt', name: 'b' }]);
    expect(decide({}, { a: here(1, 'change'), b: here(1, 'rollout') }).actions).toEqual([
      { kind: 'interrupt', name: 'b' },
    ]);
  });

  it('applies a deployment that comes to this node or leaves it, at the same revision', () => {
    const actual = { far: here(1), farther: { ...here(1), isHere: false }, near: here(1) };
    const back = { ...here(1), isHere: false };
    expect(decide({ far: 1, farther: 1, near: 1 }, actual).actions).toEqual([
      { kind: 'apply', name: 'far' },
    ]);
    expect(decide({ near: 1 }, { near: back }).actions).toEqual([{ kind: 'apply', name: 'near' }]);
  });

  it('tries a failed revision again when it is due, and a newer one at once', () => {
    const failure = { ...row(2), attempts: 1, retryAt: 100 };
    expect(decide({ a: 2 }, { a: here(2) }, { a: failure }, 99)).toEqual({
      actions: [],
      nextAt: 100,
    });
    const apply = [{ kind: 'apply', name: 'a' }];
    expect(decide({ a: 2 }, { a: here(2) }, { a: failure }, 100).actions).toEqual(apply);
    expect(decide({ a: 3 }, { a: here(1) }, { a: failure }, 0).actions).toEqual(apply);
  });

  it('doubles the wait up to a minute', () => {
    let failure = failedAgain(undefined, row(7), 0);
    const waits: number[] = [];
    for (let attempt = 0; attempt < 9; attempt++) {
      waits.push(failure.retryAt);
      failure = failedAgain(failure, row(7), 0);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => 1000 * seconds));
    expect(failedAgain(failure, row(8), 0).attempts).toBe(1);
  });
});
