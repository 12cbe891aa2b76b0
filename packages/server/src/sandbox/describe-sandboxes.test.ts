import { expect, test } from 'vitest';
import { SkeinError } from '@skein/api';
import type { Availability, SandboxDriver, SandboxName } from './contract.ts';
import { describeSandboxes } from './describe-sandboxes.ts';
import { enforcementOf } from './enforcement.ts';
import { openSandboxes } from './sandboxes.ts';

const nothing = {
  groups: undefined,
  reason: 'no group is delegated',
  fix: 'delegate one',
} as const;

function driver(name: SandboxName, here: Availability): SandboxDriver {
  return {
    name,
    availability: async () => await Promise.resolve(here),
    open: async () => await Promise.reject(new Error('never opened')),
    close: async () => await Promise.resolve(),
  };
}

const absent = driver('docker', { available: false, reason: 'no daemon', fix: 'start it' });
const weak = driver('bubblewrap', {
  available: true,
  version: '1',
  enforcement: enforcementOf(nothing, 'bubblewrap'),
});
const strong = driver('bubblewrap', {
  available: true,
  version: '1',
  enforcement: { ...enforcementOf(nothing, 'bubblewrap'), untrusted: true },
});
const plain = driver('process', {
  available: true,
  version: '1',
  enforcement: enforcementOf(nothing, 'process'),
});

test('what is missing is described with what provides it', async () => {
  const [docker, bubblewrap] = await describeSandboxes(openSandboxes([absent, weak]));
  expect(docker).toEqual({
    name: 'docker',
    available: false,
    untrusted: false,
    summary: 'no daemon',
    missing: [{ what: 'no daemon', fix: 'start it' }],
  });
  expect(bubblewrap?.summary).toBe(
    '1, for trusted work, holds wallMs, outputBytes, fileBytes, diskBytes; accounts by none',
  );
  expect(bubblewrap?.missing).toContainEqual({
    what: 'memoryBytes: no group is delegated',
    fix: 'delegate one',
  });
});

test('untrusted work goes to the first driver that holds it', async () => {
  expect(await openSandboxes([absent, plain, strong]).best({ untrusted: true })).toBe(strong);
  expect(await openSandboxes([absent, plain, strong]).best({ untrusted: false })).toBe(plain);
});

test('without one it is refused, with what is missing for each', async () => {
  const refused = openSandboxes([absent, weak, plain]).best({ untrusted: true });
  await expect(refused).rejects.toBeInstanceOf(SkeinError);
  await expect(refused).rejects.toThrow(
    /docker: no daemon \(start it\); bubblewrap: no group is delegated \(delegate one\); process: isolates nothing/,
  );
  expect(() => openSandboxes([plain]).driver('docker')).toThrow(/no driver docker/);
});
