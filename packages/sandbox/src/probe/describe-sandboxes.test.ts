import { expect, test } from 'vitest';
import type { Availability, SandboxDriver, SandboxName } from '../contract.ts';
import { describeSandboxes } from './describe-sandboxes.ts';
import { enforcementOf } from './enforcement.ts';

const nothing = {
  groups: undefined,
  reason: 'no group is delegated',
  fix: 'delegate one',
} as const;

function driver(name: SandboxName, here: Availability): SandboxDriver {
  return {
    name,
    takesImage: () => true,
    availability: async () => await Promise.resolve(here),
    open: async () => await Promise.reject(new Error('never opened')),
    close: async () => await Promise.resolve(),
  };
}

const absent = driver('docker', { available: false, reason: 'no daemon', fix: 'start it' });
const weak = driver('bubblewrap', {
  available: true,
  version: '1',
  enforcement: enforcementOf(nothing, {
    disk: { enforced: true, by: 'size of a tmpfs' },
    network: { none: true, allowList: true, by: 'no interface' },
    isolates: true,
  }),
});

test('a missing piece is described with its fix', async () => {
  const [docker, bubblewrap] = await describeSandboxes([absent, weak]);
  expect(docker).toEqual({
    name: 'docker',
    available: false,
    untrusted: false,
    summary: 'no daemon',
    missing: [{ what: 'no daemon', fix: 'start it' }],
  });
  expect(bubblewrap?.summary).toBe(
    '1, for trusted work, holds wall time, output, file size, disk; accounts by none',
  );
  expect(bubblewrap?.missing).toContainEqual({
    what: 'memory: no group is delegated',
    fix: 'delegate one',
  });
});
