/** The limits that a driver of host processes enforces with the control groups that it has. */
import { SANDBOX_NAMES, SANDBOXES } from '@skein/api/implementations';
import type { ControlGroupsHere } from '../cgroup/contract.ts';
import type { Enforcement } from '../contract.ts';

/** The drivers to use instead of one that isolates nothing. */
export const ISOLATING = SANDBOX_NAMES.filter((name) => SANDBOXES[name].isolates).join(' or ');

/** The limits that the driver adds to the control groups. */
export interface OwnEnforcement {
  readonly disk: Enforcement['limits']['diskBytes'];
  readonly network: Enforcement['network'];
  readonly isolates: boolean;
}

export function enforcementOf(
  here: ControlGroupsHere,
  { disk, network, isolates }: OwnEnforcement,
): Enforcement {
  const { groups } = here;
  const yes = (by: string) => ({ enforced: true, by });
  const byGroup = (controller: string) =>
    groups === undefined
      ? { enforced: false, by: here.reason, fix: here.fix }
      : yes(`cgroup ${groups.version} ${controller}`);
  return {
    limits: {
      cpuMs:
        groups === undefined
          ? byGroup('cpu')
          : yes(
              `cgroup ${groups.version} ${groups.version === 'v1' ? 'cpuacct' : 'cpu.stat'}, RLIMIT_CPU`,
            ),
      wallMs: yes('a timer of the node'),
      memoryBytes: byGroup('memory'),
      pids: byGroup('pids'),
      outputBytes: yes('the node counts it'),
      fileBytes: yes('RLIMIT_FSIZE'),
      diskBytes: disk,
      cores:
        groups !== undefined && !groups.limitsCores
          ? {
              enforced: false,
              by: `cgroup ${groups.version} has no cpu controller here`,
              fix: 'Delegate the cpu controller to this user.',
            }
          : byGroup('cpu'),
    },
    network,
    untrusted: isolates && groups !== undefined,
    accounting: groups === undefined ? 'none' : `cgroup ${groups.version}`,
  };
}

/** The mechanism that enforces an address list. @param noList why none can be enforced. */
export function listBy(noList: string | undefined): string {
  return noList === undefined
    ? 'a list of addresses by a proxy of the node, which is the only way out'
    : `a list of addresses is not enforced: ${noList}`;
}
