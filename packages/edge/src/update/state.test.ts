/** The transitions of a device, each alone and in any order. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  activated,
  answered,
  checking,
  downloading,
  failedWith,
  faulted,
  freeSlot,
  HEALTH_ANSWERS,
  NOTHING,
  ran,
  started,
  type DeviceState,
} from './state.ts';

const install = (state: DeviceState, version: number): DeviceState =>
  activated(state, { slot: freeSlot(state), version, digest: `digest ${version}` });
const times = (
  count: number,
  state: DeviceState,
  step: (state: DeviceState) => DeviceState,
): DeviceState => Array.from({ length: count }).reduce<DeviceState>((each) => step(each), state);

describe('a version', () => {
  it('is committed by its answers', () => {
    const trial = install(NOTHING, 1);
    expect(times(HEALTH_ANSWERS - 1, trial, answered).trial).toEqual({
      starts: 0,
      answers: HEALTH_ANSWERS - 1,
    });
    expect(times(HEALTH_ANSWERS, trial, answered).trial).toBeNull();
  });

  it('that runs after each start needs no answer to stay', () => {
    const trial = install(NOTHING, 1);
    const begun = (state: DeviceState): DeviceState => ran(started(state));
    expect(times(10, trial, begun)).toEqual(trial);
    expect(times(10, trial, started).failed).toMatchObject([{ version: 1 }]);
  });

  it('on trial gives way at its first fault, and is remembered as failed', () => {
    const first = times(HEALTH_ANSWERS, install(NOTHING, 1), answered);
    const second = install(first, 2);
    expect(second).toMatchObject({ active: { slot: 'b' }, previous: { slot: 'a', version: 1 } });
    expect(faulted(second, 'no answer')).toMatchObject({
      active: { version: 1 },
      previous: null,
      trial: null,
      failed: [{ version: 2, digest: 'digest 2', reason: 'no answer' }],
    });
  });

  it('that is committed stays at a fault', () => {
    const first = times(HEALTH_ANSWERS, install(NOTHING, 1), answered);
    expect(faulted(first, 'a bad input')).toBe(first);
  });

  it('that takes its process down is rolled back at the fourth start, unless it answers between', () => {
    const second = install(times(HEALTH_ANSWERS, install(NOTHING, 1), answered), 2);
    expect(times(3, second, started).active!.version).toBe(2);
    expect(times(4, second, started)).toMatchObject({
      active: { version: 1 },
      failed: [{ version: 2, reason: 'it was started 3 times and gave no answer' }],
    });
    expect(times(30, second, (each) => answered(started(each))).active!.version).toBe(2);
  });

  it('that is checked when the device stops is tried three times', () => {
    const candidate = { version: 2, digest: 'digest 2' };
    const begun = (state: DeviceState): DeviceState =>
      checking(downloading(state, candidate.digest), candidate);
    expect(times(3, NOTHING, begun).failed).toEqual([]);
    expect(times(4, NOTHING, begun).failed).toEqual([
      { ...candidate, reason: 'the device stopped 3 times while it was checked' },
    ]);
    const other = downloading(times(3, NOTHING, begun), 'digest 3');
    expect(other.trying).toEqual({ digest: 'digest 3', attempts: 0 });
  });
});

it('keeps the newest failed versions', () => {
  let state = NOTHING;
  for (let version = 1; version <= 30; version++) {
    state = failedWith(state, { version, digest: `digest ${version}` }, '');
  }
  expect(state.failed.map(({ version }) => version)).toEqual(
    Array.from({ length: 20 }, (_, i) => i + 11),
  );
});

it('in any order never runs a failed version, nor two versions from one slot', () => {
  const step = fc.constantFrom('install', 'answer', 'fault', 'start', 'refuse');
  const isSound = fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
    let state = NOTHING;
    let version = 0;
    for (const each of steps) {
      version += 1;
      const digest = `digest ${version}`;
      if (each === 'install') state = install(downloading(state, digest), version);
      if (each === 'refuse')
        state = failedWith(downloading(state, digest), { version, digest }, '');
      if (each === 'answer') state = answered(state);
      if (each === 'fault') state = faulted(state, '');
      if (each === 'start') state = started(state);
      const { active, previous, failed, trial } = state;
      // Its slot was overwritten.
      if (each === 'refuse' && previous !== null) return false;
      if (active === null && (previous !== null || trial !== null)) return false;
      if (active !== null && active.slot === previous?.slot) return false;
      if (failed.some((one) => one.digest === active?.digest)) return false;
      if (failed.length > 20) return false;
    }
    return true;
  });
  expect(() => fc.assert(isSound, { numRuns: 2000 })).not.toThrow();
});
