import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decide, type Asked, type LocalState, type Quantiles, type RemoteState } from './policy.ts';

const asked: Asked = { isPrivate: false, deadlineMs: 100 };
const times = (p50Ms: number, p99Ms: number): Quantiles => ({ p50Ms, p99Ms });
const local: LocalState = { isReady: true, isBusy: false, runs: times(10, 20) };
const remote: RemoteState = {
  isConfigured: true,
  isAllowed: true,
  retryAt: 0,
  trips: times(20, 50),
};
const NOW = 1000;
const slow = { ...local, runs: times(10, 140.2) };

it.each([
  ['a fast device', asked, local, remote, 'local', 'the device is fast enough', 40],
  [
    'a device that was not measured',
    asked,
    { ...local, runs: undefined },
    remote,
    'local',
    'fast enough',
    40,
  ],
  [
    'a node that was not measured',
    asked,
    local,
    { ...remote, trips: undefined },
    'local',
    'fast enough',
    20,
  ],
  [
    'a node that is too slow to wait',
    asked,
    local,
    { ...remote, trips: times(50, 95) },
    'local',
    'fast',
    0,
  ],
  [
    'no deadline',
    { ...asked, deadlineMs: undefined },
    { ...local, runs: times(9000, 9000) },
    remote,
    'local',
    'fast enough',
    undefined,
  ],
  [
    'a device that is slow at times',
    asked,
    slow,
    remote,
    'local',
    'the device takes 141 ms at its p99, and the deadline is 100 ms',
    40,
  ],
  [
    'a device that is usually slow',
    asked,
    { ...local, runs: times(110, 140) },
    remote,
    'remote',
    'the device takes 110 ms, and the deadline is 100 ms',
    undefined,
  ],
  [
    'a device and a node that are slow',
    asked,
    { ...local, runs: times(110, 140) },
    { ...remote, trips: times(80, 120) },
    'local',
    'the device takes 140 ms at its p99',
    0,
  ],
  [
    'a device that still computes what a hedge left',
    asked,
    { ...local, isBusy: true },
    remote,
    'remote',
    'an earlier input',
    undefined,
  ],
  [
    'the same with a private input',
    { ...asked, isPrivate: true },
    { ...local, isBusy: true },
    remote,
    'local',
    'the input is private',
    undefined,
  ],
  [
    'a slow device and no node',
    asked,
    slow,
    { ...remote, isConfigured: false },
    'local',
    'there is no node, although the device takes 141 ms',
    undefined,
  ],
  [
    'a slow device and a bundle that stays',
    asked,
    slow,
    { ...remote, isAllowed: false },
    'local',
    'allows no offload',
    undefined,
  ],
  [
    'a slow device and a busy node',
    asked,
    slow,
    { ...remote, retryAt: NOW + 50 },
    'local',
    'not to be asked for 50 ms',
    undefined,
  ],
  [
    'a slow device and a private input',
    { ...asked, isPrivate: true },
    slow,
    remote,
    'local',
    'the input is private',
    undefined,
  ],
  [
    'no version',
    asked,
    { ...local, isReady: false },
    remote,
    'remote',
    'no version is installed',
    undefined,
  ],
  [
    'no version and a private input',
    { ...asked, isPrivate: true },
    { ...local, isReady: false },
    remote,
    'refused',
    'no version is installed, and the input is private',
    undefined,
  ],
] as const)('%s', (_, question, device, node, where, why, hedgeAtMs) => {
  const decision = decide(question, device, node, NOW);
  expect(decision.where).toBe(where);
  expect(decision.why).toContain(why);
  expect(decision.where === 'local' ? decision.hedgeAtMs : undefined).toBe(hedgeAtMs);
});

it('sends no private input, and nothing where the bundle forbids it, whatever else holds', () => {
  const time = fc.option(fc.double({ min: 0, max: 1e6, noNaN: true }), { nil: undefined });
  const some = fc.record({
    p50Ms: fc.double({ min: 0, max: 1e6 }),
    p99Ms: fc.double({ min: 0, max: 1e6 }),
  });
  const runs = fc.option(some, { nil: undefined });
  const neverSends = fc.property(
    fc.record({ isPrivate: fc.boolean(), deadlineMs: time }),
    fc.record({ isReady: fc.boolean(), isBusy: fc.boolean(), runs }),
    fc.record({
      isConfigured: fc.boolean(),
      isAllowed: fc.boolean(),
      retryAt: fc.nat(5000),
      trips: runs,
    }),
    (question, device, node) => {
      const decision = decide(question, device, node, NOW);
      const { where } = decision;
      const sends = where === 'remote' || (where === 'local' && decision.hedgeAtMs !== undefined);
      const mayNot =
        question.isPrivate || !node.isAllowed || !node.isConfigured || node.retryAt > NOW;
      if (sends && mayNot) return false;
      return where !== 'local' || device.isReady;
    },
  );
  expect(() => fc.assert(neverSends, { numRuns: 5000 })).not.toThrow();
});
