/** The limits that a driver of host processes enforces with the control groups that it has. */
import type { ControlGroupsHere } from './cgroup/contract.ts';
import type { Enforcement } from './contract.ts';

export function enforcementOf(
  here: ControlGroupsHere,
  driver: 'bubblewrap' | 'process',
  /** Why no address list can be enforced; undefined when one can. */
  noList?: string,
): Enforcement {
  const { groups } = here;
  const yes = (by: string) => ({ enforced: true, by });
  const byGroup = (controller: string) =>
    groups === undefined
      ? { enforced: false, by: here.reason, fix: here.fix }
      : yes(`cgroup ${groups.version} ${controller}`);
  const memory = byGroup('memory');
  return {
    limits: {
      cpuMs:
        groups === undefined
          ? byGroup('cpu')
          : yes(
              `cgroup ${groups.version} ${groups.version === 'v1' ? 'cpuacct' : 'cpu.stat'}, RLIMIT_CPU`,
            ),
      wallMs: yes('a timer of the node'),
      memoryBytes: memory,
      pids: byGroup('pids'),
      outputBytes: yes('the node counts it'),
      fileBytes: yes('RLIMIT_FSIZE'),
      diskBytes:
        driver === 'bubblewrap'
          ? yes('size of a tmpfs')
          : {
              enforced: false,
              by: 'the driver process has no disk of its own',
              fix: 'Use bubblewrap or Docker.',
            },
      cores:
        groups !== undefined && !groups.limitsCores
          ? {
              enforced: false,
              by: `cgroup ${groups.version} has no cpu controller here`,
              fix: 'Delegate the cpu controller to this user.',
            }
          : byGroup('cpu'),
    },
    network: {
      none: driver === 'bubblewrap',
      allowList: driver === 'bubblewrap' && noList === undefined,
      by:
        driver === 'bubblewrap'
          ? `a network name space without any interface; ${listBy(noList)}`
          : 'the driver process uses the host’s network',
    },
    untrusted: driver === 'bubblewrap' && groups !== undefined,
    accounting: groups === undefined ? 'none' : `cgroup ${groups.version}`,
  };
}

/** What enforces an address list. @param noList why none can be enforced. */
export function listBy(noList: string | undefined): string {
  return noList === undefined
    ? 'a list of addresses by a proxy of the node, which is the only way out'
    : `a list of addresses is not enforced: ${noList}`;
}
