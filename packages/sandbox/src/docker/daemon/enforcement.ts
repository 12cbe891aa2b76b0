/** The limits that the docker driver claims before its probe. */
import type { Enforcement } from '../../contract.ts';
import { listBy } from '../../probe/enforcement.ts';

/**
 * @param own whether each command has a control group of its own.
 * @param noList why no address list can be enforced; undefined when one can.
 */
export function enforcement(
  version: 'v1' | 'v2',
  own: boolean,
  noList: string | undefined,
): Enforcement {
  const group = `cgroup ${version} of ${own ? 'the command' : 'the container'}`;
  const held = (by: string): { enforced: true; by: string } => ({ enforced: true, by });
  return {
    limits: {
      cpuMs: held(`${group}, read every 20 to 50 ms; RLIMIT_CPU behind it`),
      wallMs: held('the supervisor in the container'),
      memoryBytes: held(
        // The probe shows whether swap is off: with swap, a program that takes memory runs on in
        // it.
        `${group}${own ? '' : '; a peak below the peak of an earlier command of the session is sampled'}`,
      ),
      pids: held(group),
      outputBytes: held('the supervisor in the container'),
      fileBytes: held('RLIMIT_FSIZE'),
      diskBytes: held(
        'tmpfs: three quarters for the workspace, one eighth each for /tmp and /dev/shm',
      ),
      cores: held(`${group}, CFS quota`),
    },
    network: {
      none: true,
      allowList: noList === undefined,
      by: `a network namespace without interfaces; ${listBy(noList)}`,
    },
    untrusted: true,
    accounting: `cgroup ${version}`,
  };
}
