import { describe, expect, it } from 'vitest';
import type { Enforcement, Limits, SandboxName } from '@skein/sandbox';
import { chooseSandbox, networkOf, type Choice } from './choose-sandbox.ts';
import type { SandboxOffer } from './contract.ts';
import { limitsOf } from './limits.ts';
import { command } from './testing/worker-fixture.ts';

const LIMITS: readonly (keyof Limits)[] = [
  'cpuMs',
  'wallMs',
  'memoryBytes',
  'pids',
  'outputBytes',
  'fileBytes',
  'diskBytes',
  'cores',
];

/** A driver that enforces all limits but the given ones. */
function enforcing(untrusted: boolean, without: readonly (keyof Limits)[] = []): Enforcement {
  const limits = Object.fromEntries(
    LIMITS.map((name) => [
      name,
      without.includes(name)
        ? { enforced: false, by: 'no cgroup', fix: 'Mount cgroup v2.' }
        : { enforced: true, by: 'kernel' },
    ]),
  ) as Enforcement['limits'];
  return {
    limits,
    network: { none: untrusted, allowList: false, by: 'no namespaces' },
    untrusted,
    accounting: 'cgroup v2',
  };
}

function offer(name: SandboxName, enforcement: Enforcement): SandboxOffer {
  const takesImage = (image: string): boolean =>
    name !== 'process' && image.startsWith('/') === (name === 'bubblewrap');
  return { name, takesImage, availability: { available: true, version: '1', enforcement } };
}

const bubblewrap = offer('bubblewrap', enforcing(true));
const bubblewrapNetwork = enforcing(true).network;
const docker = offer('docker', enforcing(true));
const bare = offer('process', enforcing(false, ['memoryBytes', 'diskBytes']));
const gone: SandboxOffer = {
  name: 'bubblewrap',
  takesImage: () => true,
  availability: { available: false, reason: 'bwrap is not installed', fix: 'apt install it.' },
};
const why = (choice: Choice) => ('refused' in choice ? choice.refused : `chose ${choice.chosen}`);

describe('the sandbox of a command', () => {
  it('is the cheapest that may run it', () => {
    expect(chooseSandbox(command(['x']), [bare, docker, bubblewrap], true)).toEqual({
      chosen: 'bubblewrap',
    });
    expect(chooseSandbox(command(['x']), [bare, docker, gone], true)).toEqual({ chosen: 'docker' });
    expect(chooseSandbox(command(['x'], { trusted: true }), [bare], true)).toEqual({
      chosen: 'process',
    });
  });

  it('is the one it names, or none', () => {
    const work = command(['x'], { sandbox: 'docker' });
    expect(chooseSandbox(work, [docker, bubblewrap], true)).toEqual({ chosen: 'docker' });
    expect(why(chooseSandbox(work, [bubblewrap], true))).toContain(
      'docker: the worker was started without it.',
    );
  });

  it('goes with the image', () => {
    const all = [docker, bubblewrap];
    const imaged = (image: string) => chooseSandbox(command(['x'], { image }), all, true);
    expect(imaged('debian:13')).toEqual({ chosen: 'docker' });
    expect(imaged('/srv/root')).toEqual({ chosen: 'bubblewrap' });
    expect(imaged('no-folder-has-this-name')).toEqual({ chosen: 'docker' });
    const judge = chooseSandbox(command(['x'], { image: 'judge' }), [bubblewrap], true);
    expect(why(judge)).toMatch(/no image "judge"\. `sudo deploy\/sandbox\/base-image\.sh judge/);
  });

  it('is never `process` for untrusted work', () => {
    expect(why(chooseSandbox(command(['x']), [bare, gone], true))).toMatch(
      /untrusted command.*bwrap is not installed. apt install it.*process: it runs only trusted/,
    );
  });

  it('names the limits that it lacks for untrusted work, and what holds them', () => {
    const enforcement = {
      ...enforcing(false, ['memoryBytes', 'pids']),
      network: bubblewrapNetwork,
    };
    expect(why(chooseSandbox(command(['x']), [offer('bubblewrap', enforcement)], true))).toContain(
      'only trusted work here, because it does not limit memory, processes: no cgroup. Mount cgroup v2.',
    );
  });

  it('enforces every limit that was asked for', () => {
    const weak = offer('bubblewrap', enforcing(true, ['pids']));
    const work = command(['x'], { limits: { pids: 3 } });
    expect(chooseSandbox(work, [weak, docker], true)).toEqual({ chosen: 'docker' });
    expect(why(chooseSandbox(work, [weak], true))).toContain(
      'it does not limit processes: no cgroup. Mount cgroup v2.',
    );
  });

  it('gives the network of the host to trusted work only, and none to the rest', () => {
    const host = command(['x'], { network: 'host' });
    expect(why(chooseSandbox(host, [bubblewrap], true))).toContain('Only trusted work');
    expect(chooseSandbox({ ...host, trusted: true }, [bubblewrap], true)).toEqual({
      chosen: 'bubblewrap',
    });
    expect(why(chooseSandbox({ ...host, trusted: true }, [bubblewrap], false))).toContain(
      'runs no trusted work',
    );
    const listed = command(['x'], { network: { allow: ['a:1'] } });
    expect(why(chooseSandbox(listed, [bubblewrap], true))).toContain('allow-list');
    const none = command(['x'], { network: 'none', trusted: true, sandbox: 'process' });
    expect(why(chooseSandbox(none, [bare], true))).toContain('cannot keep work off the network');
    expect(networkOf(command(['x']), true, false)).toBe('host');
    expect(networkOf(command(['x']), false, false)).toBe('none');
  });
});

describe('the limits of a command', () => {
  const resources = { cores: 0.5, memoryBytes: 1000 };

  it('are defaults where none was asked for, and are kept for untrusted work', () => {
    const limits = limitsOf({ wallMs: 5 }, resources, enforcing(true, ['memoryBytes']), false);
    expect(limits).toMatchObject({ wallMs: 5, memoryBytes: 1000, pids: 64, cores: 0.5 });
    expect(limits).not.toHaveProperty('cpuMs');
  });

  it('are dropped for trusted work when the driver does not enforce them', () => {
    const enforcement = enforcing(false, ['memoryBytes', 'cores']);
    const limits = limitsOf({ diskBytes: 7 }, resources, enforcement, true);
    expect(limits).toMatchObject({ memoryBytes: Infinity, diskBytes: 7, pids: 64 });
    expect(limits).not.toHaveProperty('cores');
    expect(limitsOf({ memoryBytes: 9 }, resources, enforcement, true).memoryBytes).toBe(9);
  });
});
