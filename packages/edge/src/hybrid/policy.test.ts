import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decide, type Asked, type LocalState, type RemoteState } from './policy.ts';

const asked: Asked = { isPrivate: false, deadlineMs: 100 };
const local: LocalState = { isReady: true, p99Ms: 20 };
const remote: RemoteState = { isConfigured: true, isAllowed: true, retryAt: 0 };
const NOW = 1000;

it.each([
  ['a fast device', asked, local, remote, 'local', 'the device is fast enough'],
  [
    'a device that was not measured',
    asked,
    { isReady: true, p99Ms: undefined },
    remote,
    'local',
    'fast enough',
  ],
  [
    'no deadline',
    { ...asked, deadlineMs: undefined },
    { ...local, p99Ms: 9000 },
    remote,
    'local',
    'fast enough',
  ],
  [
    'a slow device',
    asked,
    { ...local, p99Ms: 140.2 },
    remote,
    'remote',
    'the device takes 141 ms at its p99, and the deadline is 100 ms',
  ],
  [
    'a slow device and no node',
    asked,
    { ...local, p99Ms: 140 },
    { ...remote, isConfigured: false },
    'local',
    'there is no node, although the device takes 140 ms',
  ],
  [
    'a slow device and a bundle that stays',
    asked,
    { ...local, p99Ms: 140 },
    { ...remote, isAllowed: false },
    'local',
    'allows no offload',
  ],
  [
    'a slow device and a busy node',
    asked,
    { ...local, p99Ms: 140 },
    { ...remote, retryAt: NOW + 50 },
    'local',
    'not to be asked for 50 ms',
  ],
  [
    'a slow device and a private input',
    { ...asked, isPrivate: true },
    { ...local, p99Ms: 140 },
    remote,
    'local',
    'the input is private',
  ],
  [
    'no version',
    asked,
    { isReady: false, p99Ms: undefined },
    remote,
    'remote',
    'no version is installed',
  ],
  [
    'no version and a private input',
    { ...asked, isPrivate: true },
    { isReady: false, p99Ms: undefined },
    remote,
    'refused',
    'no version is installed, and the input is private',
  ],
] as const)('%s', (_, question, device, node, where, why) => {
  const decision = decide(question, device, node, NOW);
  expect(decision.where).toBe(where);
  expect(decision.why).toContain(why);
});

it('sends no private input, and nothing where the bundle forbids it, whatever else holds', () => {
  const time = fc.option(fc.double({ min: 0, max: 1e6, noNaN: true }), { nil: undefined });
  const neverSends = fc.property(
    fc.record({ isPrivate: fc.boolean(), deadlineMs: time }),
    fc.record({ isReady: fc.boolean(), p99Ms: time }),
    fc.record({ isConfigured: fc.boolean(), isAllowed: fc.boolean(), retryAt: fc.nat(5000) }),
    (question, device, node) => {
      const { where } = decide(question, device, node, NOW);
      const mayNot =
        question.isPrivate || !node.isAllowed || !node.isConfigured || node.retryAt > NOW;
      if (where === 'remote' && mayNot) return false;
      return where !== 'local' || device.isReady;
    },
  );
  expect(() => fc.assert(neverSends, { numRuns: 5000 })).not.toThrow();
});
